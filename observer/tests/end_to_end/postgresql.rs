//! PostgreSQL and pgbench: what sets a connection up is no exchange, each query is one. The server's log says how many
//! connections there were, and how many statements on each.

use std::{
    collections::HashMap,
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use crate::support::{
    certificate,
    machine::Machine,
    nobody::{USER, give_away},
    programs::output_of,
    report::{Report, assert_fields},
    service::{self, Service},
    sockets::Closed,
};

const PASSWORD: &str = "correct horse";
/// `%c` names the session.
const SETTINGS: &str = "
    listen_addresses = '127.0.0.1'
    unix_socket_directories = '.'
    fsync = off
    log_line_prefix = '%c '
    log_connections = on
    log_disconnections = on
    log_statement = all
    password_encryption = scram-sha-256
    ssl_cert_file = 'certificate.pem'
    ssl_key_file = 'key.pem'
";

pub(crate) struct Cluster {
    service: Service,
    pub(crate) port: u16,
}

/// A program of PostgreSQL, as nobody: it refuses to be root. The distribution's wrappers look for clusters of its own.
fn postgresql(name: &str, folder: &Path) -> Command {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.map(|entry| entry.expect("it can be read").path()).collect())
        .unwrap_or_default();
    versions.sort();
    let program = versions.into_iter().map(|version| version.join("bin").join(name)).rfind(|path| path.is_file());
    let program = program.unwrap_or_else(|| panic!("{name} is missing: run `sudo apt-get install -y postgresql`"));
    let mut command = Command::new(program);
    command.uid(USER).gid(USER).current_dir(folder).env_clear().env("LC_ALL", "C");
    command
}

/// PostgreSQL takes no key that others can read.
fn make_certificate(folder: &Path) {
    certificate::make(folder);
    fs::set_permissions(folder.join("key.pem"), Permissions::from_mode(0o600)).expect("they can be set");
    for name in ["key.pem", "certificate.pem"] {
        give_away(&folder.join(name));
    }
}

impl Cluster {
    /// One with the tables of pgbench. `authentication` is of those who come by TCP.
    pub(crate) fn start(authentication: &str, ssl: &str) -> Self {
        let (folder, port) = (service::folder(), Closed::new());
        let number = port.address.port();
        give_away(folder.path());
        let mut initdb = postgresql("initdb", folder.path());
        output_of(initdb.args(["--no-sync", "--auth=trust", "--username=nobody", "--pgdata=data"]));
        let data = folder.path().join("data");
        make_certificate(&data);
        let write = |name: &str, text: String| fs::write(data.join(name), text).expect("it can be written");
        write("pg_hba.conf", format!("local all all trust\nhost all all 127.0.0.1/32 {authentication}\n"));
        write("postgresql.auto.conf", format!("{SETTINGS}\nssl = {ssl}\nport = {number}\n"));

        let mut postgres = postgresql("postgres", folder.path());
        let service = Service::start(postgres.args(["-D", "data"]), folder, [port]);
        service.wait_for_log("database system is ready to accept connections");
        let cluster = Self { service, port: number };
        cluster.by_socket("psql", &["--command", &format!("ALTER ROLE nobody PASSWORD '{PASSWORD}'"), "postgres"]);
        cluster.by_socket("pgbench", &["--initialize", "--quiet", "postgres"]);
        cluster
    }

    /// Within the machine only: nothing of it is TCP.
    fn by_socket(&self, program: &str, arguments: &[&str]) {
        let mut command = postgresql(program, self.service.folder());
        command.env("PGHOST", self.service.folder().join("data")).env("PGPORT", self.port.to_string());
        output_of(command.args(arguments));
    }

    /// psql, by TCP, which takes statements from its standard input.
    pub(crate) fn psql(&self) -> Command {
        let mut psql = postgresql("psql", self.service.folder());
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--host=127.0.0.1"]);
        psql.args([&format!("--port={}", self.port), "postgres"]);
        psql
    }

    /// Waits until its clients are gone, and ends it: how many statements each of those that came by TCP had.
    pub(crate) fn statements(self) -> Vec<u64> {
        let Self { service, port } = self;
        service.wait_for_closes(port);
        let mut statements: Vec<u64> = logged(&service.end_and_read("log")).into_values().collect();
        statements.sort_unstable();
        statements
    }

    /// Twenty transactions of one query from each of four clients.
    fn bench(&self, sslmode: &str, options: &[&str]) {
        let mut pgbench = postgresql("pgbench", self.service.folder());
        pgbench.envs([("PGSSLMODE", sslmode), ("PGGSSENCMODE", "disable"), ("PGPASSWORD", PASSWORD)]);
        pgbench.env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string());
        pgbench.args(["--select-only", "--protocol=simple", "--transactions=20", "--client=4"]);
        output_of(pgbench.args(options).arg("postgres"));
    }
}

/// Statements by session, of those that came by TCP.
fn logged(log: &str) -> HashMap<&str, u64> {
    let mut sessions = HashMap::new();
    for line in log.lines() {
        let Some((session, said)) = line.split_once(" LOG:  ") else { continue };
        // The latter is of the extended protocol.
        let is_statement = said.starts_with("statement: ") || said.starts_with("execute ");
        if said.starts_with("connection received: host=127.0.0.1 ") {
            sessions.insert(session, 0);
        } else if let (true, Some(statements)) = (is_statement, sessions.get_mut(session)) {
            *statements += 1;
        }
    }
    sessions
}

/// Watches pgbench, and gives the report with how many statements each connection had.
fn benched(authentication: &str, ssl: &str, sslmode: &str, options: &[&str]) -> (Report, Vec<u64>) {
    let machine = Machine::shared();
    let cluster = Cluster::start(authentication, ssl);
    let watch = machine.watch(format!("-p {}", cluster.port));
    cluster.bench(sslmode, options);
    let statements = cluster.statements();
    let report = watch.end();
    let connections = statements.len();
    report.assert_totals(&json!({ "opened": connections, "closed": connections, "failed": 0 }));
    let [group] = report.groups() else { panic!("one group was expected: {:#}", report.summary) };
    assert_fields(group, &json!({ "process": "pgbench", "processes": 1 }));
    (report, statements)
}

/// Without TLS each query is told from what sets its connection up.
fn assert_queries(authentication: &str, sslmode: &str, options: &[&str]) -> Vec<u64> {
    let (report, statements) = benched(authentication, "off", sslmode, options);
    let (exchanges, connections) = (statements.iter().sum::<u64>(), statements.len() as u64);
    let mut counted: Vec<u64> = report.of_type("close").iter().map(|row| row["exchanges"].as_u64().unwrap()).collect();
    counted.sort_unstable();
    assert_eq!(counted, statements, "statements of each connection");
    report.assert_recognised("postgresql");
    report.assert_totals(&json!({ "exchanges": exchanges, "new": connections, "reused": exchanges - connections }));
    statements
}

/// Statements of its clients' connections. There is one more connection, for what pgbench asks first.
const KEPT: [u64; 4] = [20; 4];
const ONE_EACH: [u64; 80] = [1; 80];

#[test]
fn connections_are_kept_for_query_after_query() {
    assert!(assert_queries("trust", "disable", &[]).ends_with(&KEPT));
}

/// Parse, bind and execute go out together.
#[test]
fn a_query_of_the_extended_protocol_is_one_exchange() {
    assert!(assert_queries("trust", "disable", &["--protocol=extended"]).ends_with(&KEPT));
}

#[test]
fn a_connection_for_each_query() {
    assert!(assert_queries("trust", "disable", &["--connect"]).starts_with(&ONE_EACH));
}

#[test]
fn a_password_is_no_exchange() {
    assert!(assert_queries("scram-sha-256", "disable", &[]).ends_with(&KEPT));
    assert!(assert_queries("scram-sha-256", "disable", &["--connect"]).starts_with(&ONE_EACH));
}

/// By itself a client asks for TLS first, and goes on without where there is none.
#[test]
fn tls_that_is_refused_is_no_exchange() {
    assert!(assert_queries("trust", "prefer", &[]).ends_with(&KEPT));
    assert!(assert_queries("trust", "prefer", &["--connect"]).starts_with(&ONE_EACH));
}

/// Within TLS a password looks like a query: connections are exact, and exchanges are marked.
#[test]
fn within_tls_it_is_not_exact() {
    for options in [&[][..], &["--connect"]] {
        let (report, statements) = benched("scram-sha-256", "on", "require", options);
        report.assert_marked("tls", None);
        report.assert_totals(&json!({ "new": statements.len(), "unused": 0 }));
    }
}
