//! Diagnoses of real clients and servers. The server counts connections and requests independently. A wrong diagnosis
//! is worse than none, so half of these tests cover healthy clients.

mod clients;
mod healthy;
mod idle;
mod lines_output;
mod servers;
mod units_of_work;

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{
    go::{self, Server, Truth},
    machine::Machine,
    report::{Report, assert_fields},
    tool::Process,
};

const LIMIT: Duration = Duration::from_mins(2);

/// Watches a client of the Go server, and asserts the number of connections and requests.
#[track_caller]
fn watched(server: &str, truth: (u64, u64), client: impl FnOnce(&str) -> Command) -> Report {
    let (report, counted) = watch_client(server, client);
    assert_eq!((counted.connections, counted.requests), truth, "counts of the server");
    report
}

/// Watches a client of the Go server, and asserts that the watch and the server counted the same.
#[track_caller]
fn watch_client(server: &str, client: impl FnOnce(&str) -> Command) -> (Report, Truth) {
    let machine = Machine::shared();
    let server = Server::start(server);
    let watch = machine.watch(format!("-p {}", server.port));
    let mut client = client(&format!("http://{}/", server.address()));
    let status = Process::start(client.stdout(Stdio::null())).wait(LIMIT);
    assert!(status.success(), "{client:?} ended with {status}");
    let truth = server.truth();
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": truth.connections, "exchanges": truth.requests, "failed": 0 }));
    (report, truth)
}

/// The Go client, which stays long enough after its requests for its runtime to be recognised.
fn go_client(arguments: &str) -> impl FnOnce(&str) -> Command {
    move |url| go::client(&format!("-stay 1500ms -url {url} {arguments}"))
}

/// The only group.
#[track_caller]
fn group(report: &Report) -> &Value {
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    group
}

/// Asserts that the only group has one diagnosis with these fields, and returns it.
#[track_caller]
fn assert_diagnosed<'a>(report: &'a Report, expected: &Value) -> &'a Value {
    let group = group(report);
    let [diagnosis] = group["diagnoses"].as_array().expect("a list").as_slice() else {
        panic!("expected one diagnosis: {group:#}")
    };
    assert_fields(diagnosis, expected);
    diagnosis
}

/// Asserts that the only group has no diagnosis, neither in the summary nor as a notice.
#[track_caller]
fn assert_not_diagnosed(report: &Report) {
    let group = group(report);
    assert_eq!(group["diagnoses"], json!([]), "{group:#}");
    let notices: Vec<_> = report.of_type("notice").into_iter().filter(|row| row["kind"] == "diagnosis").collect();
    assert!(notices.is_empty(), "{notices:#?}");
}

#[track_caller]
fn assert_advice(diagnosis: &Value, words: &str) {
    let advice = diagnosis["advice"].as_str().expect("a sentence");
    assert!(advice.contains(words), "expected {words:?} in {diagnosis:#}");
}

#[track_caller]
fn value(diagnosis: &Value, name: &str) -> u64 {
    diagnosis["values"][name].as_u64().unwrap_or_else(|| panic!("no {name} among the values: {diagnosis:#}"))
}
