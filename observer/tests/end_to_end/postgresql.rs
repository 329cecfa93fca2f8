//! PostgreSQL and pgbench: the set-up of a connection is no exchange, and each query is one. The server's log tells the
//! number of connections, and of statements on each.

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
    nobody::{NOBODY, chown_to_nobody},
    programs::output_of,
    report::{Report, assert_fields},
    service::{self, Service},
    sockets::ReservedPort,
};

const PASSWORD: &str = "correct horse";
/// `%c` is the session id.
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

/// A PostgreSQL program, run as nobody because it refuses to run as root. Calls the binaries directly, because the
/// distribution's wrappers look for clusters of their own.
fn postgresql(name: &str, folder: &Path) -> Command {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.map(|entry| entry.expect("cannot read the directory").path()).collect())
        .unwrap_or_default();
    versions.sort();
    let program = versions.into_iter().map(|version| version.join("bin").join(name)).rfind(|path| path.is_file());
    let program = program.unwrap_or_else(|| panic!("{name} is missing: run `sudo apt-get install -y postgresql`"));
    let mut command = Command::new(program);
    command.uid(NOBODY).gid(NOBODY).current_dir(folder).env_clear().env("LC_ALL", "C");
    command
}

/// PostgreSQL refuses a key that other users can read.
fn make_certificate(folder: &Path) {
    certificate::make(folder);
    fs::set_permissions(folder.join("key.pem"), Permissions::from_mode(0o600)).expect("cannot set the permissions");
    for name in ["key.pem", "certificate.pem"] {
        chown_to_nobody(&folder.join(name));
    }
}

impl Cluster {
    /// Starts a cluster with pgbench's tables. `authentication` applies to TCP connections.
    pub(crate) fn start(authentication: &str, ssl: &str) -> Self {
        let (folder, port) = (service::folder(), ReservedPort::new());
        let number = port.address.port();
        chown_to_nobody(folder.path());
        let mut initdb = postgresql("initdb", folder.path());
        output_of(initdb.args(["--no-sync", "--auth=trust", "--username=nobody", "--pgdata=data"]));
        let data = folder.path().join("data");
        make_certificate(&data);
        let write = |name: &str, text: String| fs::write(data.join(name), text).expect("cannot write the file");
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

    /// Runs a program over the Unix socket, without TCP.
    fn by_socket(&self, program: &str, arguments: &[&str]) {
        let mut command = postgresql(program, self.service.folder());
        command.env("PGHOST", self.service.folder().join("data")).env("PGPORT", self.port.to_string());
        output_of(command.args(arguments));
    }

    /// A psql over TCP that reads statements from its standard input.
    pub(crate) fn psql(&self) -> Command {
        let mut psql = postgresql("psql", self.service.folder());
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--host=127.0.0.1"]);
        psql.args([&format!("--port={}", self.port), "postgres"]);
        psql
    }

    /// Waits until the clients are gone, stops the server, and returns the number of statements of each TCP connection.
    pub(crate) fn statements(self) -> Vec<u64> {
        let Self { service, port } = self;
        service.wait_for_closes(port);
        let mut statements: Vec<u64> = logged(&service.stop_and_read("log")).into_values().collect();
        statements.sort_unstable();
        statements
    }

    /// Runs 20 single-query transactions from each of four clients.
    fn bench(&self, sslmode: &str, options: &[&str]) {
        let mut pgbench = postgresql("pgbench", self.service.folder());
        pgbench.envs([("PGSSLMODE", sslmode), ("PGGSSENCMODE", "disable"), ("PGPASSWORD", PASSWORD)]);
        pgbench.env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string());
        pgbench.args(["--select-only", "--protocol=simple", "--transactions=20", "--client=4"]);
        output_of(pgbench.args(options).arg("postgres"));
    }
}

/// Statements by session, for TCP connections.
fn logged(log: &str) -> HashMap<&str, u64> {
    let mut sessions = HashMap::new();
    for line in log.lines() {
        let Some((session, message)) = line.split_once(" LOG:  ") else { continue };
        // "execute" is logged by the extended protocol.
        let is_statement = message.starts_with("statement: ") || message.starts_with("execute ");
        if message.starts_with("connection received: host=127.0.0.1 ") {
            sessions.insert(session, 0);
        } else if let (true, Some(statements)) = (is_statement, sessions.get_mut(session)) {
            *statements += 1;
        }
    }
    sessions
}

/// Watches pgbench, and returns the report and the number of statements of each connection.
fn benched(authentication: &str, ssl: &str, sslmode: &str, options: &[&str]) -> (Report, Vec<u64>) {
    let machine = Machine::shared();
    let cluster = Cluster::start(authentication, ssl);
    let watch = machine.watch(format!("-p {}", cluster.port));
    cluster.bench(sslmode, options);
    let statements = cluster.statements();
    let report = watch.end();
    let connections = statements.len();
    report.assert_totals(&json!({ "opened": connections, "closed": connections, "failed": 0 }));
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_fields(group, &json!({ "process": "pgbench", "processes": 1 }));
    (report, statements)
}

/// Asserts that without TLS each query is distinguished from the set-up. Returns the statements of each connection.
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

/// Statements per client connection. pgbench makes one more connection for its initial queries.
const KEPT: [u64; 4] = [20; 4];
const ONE_EACH: [u64; 80] = [1; 80];

#[test]
fn kept_connections_count_each_query() {
    assert!(assert_queries("trust", "disable", &[]).ends_with(&KEPT));
}

/// Parse, bind and execute are sent together.
#[test]
fn extended_protocol_query_is_one_exchange() {
    assert!(assert_queries("trust", "disable", &["--protocol=extended"]).ends_with(&KEPT));
}

#[test]
fn single_query_connections_count_one_exchange_each() {
    assert!(assert_queries("trust", "disable", &["--connect"]).starts_with(&ONE_EACH));
}

#[test]
fn password_authentication_is_no_exchange() {
    assert!(assert_queries("scram-sha-256", "disable", &[]).ends_with(&KEPT));
    assert!(assert_queries("scram-sha-256", "disable", &["--connect"]).starts_with(&ONE_EACH));
}

/// By default a client asks for TLS first, and continues without it if the server refuses.
#[test]
fn refused_tls_is_no_exchange() {
    assert!(assert_queries("trust", "prefer", &[]).ends_with(&KEPT));
    assert!(assert_queries("trust", "prefer", &["--connect"]).starts_with(&ONE_EACH));
}

/// Within TLS a password looks like a query, so connections are exact and exchanges marked.
#[test]
fn postgresql_within_tls_is_marked() {
    for options in [&[][..], &["--connect"]] {
        let (report, statements) = benched("scram-sha-256", "on", "require", options);
        report.assert_marked("tls", None);
        report.assert_totals(&json!({ "new": statements.len(), "unused": 0 }));
    }
}
