//! COPY of PostgreSQL: a statement, then rows without an answer of their own, then one that says how it went. The server's
//! log says how many statements there were.

use std::{fs, process::Command};

use serde_json::json;
use tempfile::TempDir;

use crate::{
    postgresql::Cluster,
    support::{machine::Machine, nobody::give_away, programs::output_of, python::python, report::assert_fields},
};

/// Each statement is an exchange.
fn statements(client: impl FnOnce(&Cluster) -> Command) -> Vec<u64> {
    let machine = Machine::shared();
    let cluster = Cluster::start("trust", "off");
    let mut client = client(&cluster);
    let watch = machine.watch(format!("-p {}", cluster.port));
    output_of(&mut client);
    let statements = cluster.statements();
    let report = watch.end();
    report.assert_recognised("postgresql");
    report.assert_totals(&json!({ "opened": statements.len(), "exchanges": statements.iter().sum::<u64>() }));
    if let [statements] = statements[..] {
        assert_fields(report.only("close"), &json!({ "exchanges": statements }));
    }
    statements
}

#[test]
fn loads_by_psycopg2() {
    let client = |cluster: &Cluster| {
        let mut client = python("copy_client.py");
        client.args([&cluster.port.to_string(), "5", "0"]);
        client
    };
    assert_eq!(statements(client), [7]);
}

#[test]
fn loads_and_takes_by_psycopg2() {
    let client = |cluster: &Cluster| {
        let mut client = python("copy_client.py");
        client.args([&cluster.port.to_string(), "2", "3"]);
        client
    };
    assert_eq!(statements(client), [7]);
}

/// From a file, in pieces as psql reads it.
#[test]
fn loads_by_psql() {
    let folder = TempDir::new().expect("a folder can be made");
    let file = folder.path().join("rows");
    fs::write(&file, "GET / HTTP/1.1\nQ\nSELECT 1\n".repeat(50_000)).expect("it can be written");
    let client = |cluster: &Cluster| {
        let mut psql = cluster.psql();
        for command in ["CREATE TABLE lines (line text)", "\\copy lines from 'ROWS'", "SELECT count(*) FROM lines"] {
            psql.args(["--command", &command.replace("ROWS", &file.display().to_string())]);
        }
        psql
    };
    give_away(folder.path());
    assert_eq!(statements(client), [3]);
}
