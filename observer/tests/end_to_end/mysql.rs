//! MariaDB and PyMySQL: the login and the session set-up are no exchanges, and each query is one. Within TLS the login
//! cannot be distinguished from a query. The server's log tells the number of queries.

use std::{os::unix::process::CommandExt as _, process::Command};

use serde_json::json;

use crate::support::{
    certificate,
    machine::Machine,
    nobody::{NOBODY, chown_to_nobody},
    programs::{output_of, program},
    python::python,
    report::Report,
    service::{self, Service},
    sockets::ReservedPort,
};

pub(crate) struct MariaDb {
    service: Service,
    pub(crate) port: u16,
}

/// A MariaDB program, run as nobody and with these arguments as its only configuration.
fn mariadb(name: &str, arguments: &[&str]) -> Command {
    let mut command = program(name, "mariadb-server");
    command.uid(NOBODY).gid(NOBODY).arg("--no-defaults").args(arguments);
    command
}

impl MariaDb {
    pub(crate) fn start() -> Self {
        let (folder, port) = (service::folder(), ReservedPort::new());
        let number = port.address.port();
        certificate::make(folder.path());
        let users = "CREATE USER app@'127.0.0.1' IDENTIFIED BY 'secret';\nGRANT ALL ON *.* TO app@'127.0.0.1';\n";
        std::fs::write(folder.path().join("users.sql"), users).expect("cannot write the file");
        for name in ["", "users.sql", "certificate.pem", "key.pem"] {
            chown_to_nobody(&folder.path().join(name));
        }
        let file = |name: &str| folder.path().join(name).display().to_string();
        let data = format!("--datadir={}", file("data"));
        output_of(&mut mariadb(
            "mariadb-install-db",
            &[&data, "--skip-test-db", "--auth-root-authentication-method=normal"],
        ));
        let mut server =
            mariadb("mariadbd", &[&data, "--bind-address=127.0.0.1", "--skip-name-resolve", "--general-log=1"]);
        for (option, name) in [
            ("socket", "socket"),
            ("pid-file", "pid"),
            ("general-log-file", "queries"),
            ("init-file", "users.sql"),
            ("ssl-cert", "certificate.pem"),
            ("ssl-key", "key.pem"),
        ] {
            server.arg(format!("--{option}={}", file(name)));
        }
        let service = Service::start(server.arg(format!("--port={number}")), folder, [port]);
        Self { service, port: number }
    }

    /// TCP connections and SELECT queries so far, from the log.
    pub(crate) fn logged(&self) -> (u64, u64) {
        self.service.wait_for_closes(self.port);
        let log = self.service.read("queries");
        let count = |text: &str| log.matches(text).count() as u64;
        (count("Connect\tapp@127.0.0.1 "), count("Query\tSELECT "))
    }
}

fn watched(machine: &Machine, mariadb: &MariaDb, [connections, queries]: [u64; 2], tls: &str) -> Report {
    let before = mariadb.logged();
    let watch = machine.watch(format!("-p {}", mariadb.port));
    let mut client = python("mysql_client.py");
    client.args([u64::from(mariadb.port), connections, queries].map(|n| n.to_string()));
    output_of(client.args(tls.split_whitespace()));
    let after = mariadb.logged();
    let logged = (after.0 - before.0, after.1 - before.1);
    assert_eq!(logged, (connections, connections * queries), "counts in the log of MariaDB");
    let report = watch.end();
    report.assert_totals(&json!({ "opened": connections, "closed": connections, "failed": 0 }));
    report
}

#[test]
fn pymysql_queries_are_exact() {
    let (machine, mariadb) = (Machine::shared(), MariaDb::start());
    let report = watched(&machine, &mariadb, [3, 5], "");
    report.assert_recognised("mysql");
    report.assert_totals(&json!({ "exchanges": 15, "new": 3, "reused": 12, "unused": 0 }));

    let report = watched(&machine, &mariadb, [3, 0], "");
    report.assert_recognised("mysql");
    report.assert_totals(&json!({ "exchanges": 0, "unused": 3 }));
}

#[test]
fn mysql_within_tls_is_marked() {
    let (machine, mariadb) = (Machine::shared(), MariaDb::start());
    let report = watched(&machine, &mariadb, [2, 5], "tls");
    report.assert_marked("tls", None);
    report.assert_totals(&json!({ "new": 2, "unused": 0 }));
}
