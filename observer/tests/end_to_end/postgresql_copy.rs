//! PostgreSQL's COPY: a statement, then rows without an answer of their own, then an answer with the result. The
//! server's log tells the number of statements.

use std::{fs, process::Command};

use serde_json::json;
use tempfile::TempDir;

use crate::{
    postgresql::Cluster,
    support::{machine::Machine, nobody::chown_to_nobody, programs::output_of, python::python, report::assert_fields},
};

/// Runs a client, and asserts that each statement is an exchange. Returns the statements of each connection.
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
fn copy_in_by_psycopg2_is_one_exchange() {
    let client = |cluster: &Cluster| {
        let mut client = python("copy_client.py");
        client.args([&cluster.port.to_string(), "5", "0"]);
        client
    };
    assert_eq!(statements(client), [7]);
}

#[test]
fn copy_in_and_out_by_psycopg2_are_exchanges() {
    let client = |cluster: &Cluster| {
        let mut client = python("copy_client.py");
        client.args([&cluster.port.to_string(), "2", "3"]);
        client
    };
    assert_eq!(statements(client), [7]);
}

/// Copies from a file, which psql sends in pieces as it reads it.
#[test]
fn copy_in_by_psql_is_one_exchange() {
    let folder = TempDir::new().expect("cannot create a directory");
    let file = folder.path().join("rows");
    fs::write(&file, "GET / HTTP/1.1\nQ\nSELECT 1\n".repeat(50_000)).expect("cannot write the file");
    let client = |cluster: &Cluster| {
        let mut psql = cluster.psql();
        for command in ["CREATE TABLE lines (line text)", "\\copy lines from 'ROWS'", "SELECT count(*) FROM lines"] {
            psql.args(["--command", &command.replace("ROWS", &file.display().to_string())]);
        }
        psql
    };
    chown_to_nobody(folder.path());
    assert_eq!(statements(client), [3]);
}
