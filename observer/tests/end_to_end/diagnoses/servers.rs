//! Diagnoses that servers cause. nginx's log tells the connection of each request.

use std::{
    collections::HashSet,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{LIMIT, assert_advice, assert_diagnosed, go_client, group, value};
use crate::{
    nginx,
    support::{
        machine::Machine, programs::program, python::python, report::Report, sockets::ReservedPort, tool::Process,
    },
};

/// Watches a client of nginx, and asserts the number of connections and requests.
#[track_caller]
fn watched(options: &str, truth: (u64, u64), client: impl FnOnce(&str) -> Command) -> Report {
    let machine = Machine::shared();
    let port = ReservedPort::new();
    let address = port.address;
    let nginx =
        nginx::start(&format!("server {{ listen {address}; {options} location / {{ return 200 hello; }} }}"), port);
    let watch = machine.watch(format!("-p {}", address.port()));
    let mut client = client(&format!("http://{address}/"));
    let status = Process::start(&mut client).wait(LIMIT);
    assert!(status.success(), "{client:?} ended with {status}");
    nginx.wait_for_closes(address.port());
    let log = nginx.stop_and_read("requests");
    let connections: HashSet<_> = log.lines().map(|line| line.split(' ').next()).collect();
    let (connections, requests) = (connections.len() as u64, log.lines().count() as u64);
    assert_eq!((connections, requests), truth, "counts in the log of nginx");
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": connections, "closed": connections, "exchanges": requests }));
    report
}

#[test]
fn keepalive_timeout_before_the_next_request_is_diagnosed() {
    let report = watched("keepalive_timeout 1s;", (6, 6), |url| {
        let mut client = python("paced.py");
        client.args([url, "6", "1.5"]);
        client
    });
    let diagnosis = assert_diagnosed(
        &report,
        &json!({ "cause": "server-idle-timeout", "confidence": "likely", "healthy": false, "connections": 6 }),
    );
    let timeout_us = value(diagnosis, "timeout_us");
    // nginx rounds its clock. A busy machine may wake it late, but not after the next request.
    assert!((950_000..=1_500_000).contains(&timeout_us), "{diagnosis:#}");
    assert_advice(diagnosis, "Raise the server's keep-alive timeout");
}

/// Consecutive requests. ab leaves it to the server to close connections that are not kept alive.
fn ab(options: &str) -> impl FnOnce(&str) -> Command {
    move |url| {
        let mut ab = program("ab", "apache2-utils");
        ab.args(["-q", "-c", "1"]).args(options.split_whitespace()).arg(url).stdout(Stdio::null());
        ab
    }
}

#[test]
fn request_cap_is_diagnosed_as_healthy() {
    let report = watched("keepalive_requests 100;", (5, 500), ab("-k -n 500"));
    let expected = json!({ "cause": "request-cap", "healthy": true, "connections": 5, "values": { "cap": 100 } });
    let diagnosis = assert_diagnosed(&report, &expected);
    assert_advice(diagnosis, "this is healthy");
    let notices: Vec<&Value> = report.of_type("notice").into_iter().filter(|row| row["kind"] == "diagnosis").collect();
    assert!(notices.is_empty(), "{notices:#?}");
}

/// Makes nginx send `Connection: close`.
const NO_KEEP_ALIVE: &str = "keepalive_timeout 0;";

#[test]
fn keepalive_off_is_diagnosed() {
    let report = watched(NO_KEEP_ALIVE, (10, 10), ab("-k -n 10"));
    let expected =
        json!({ "cause": "server-closes-each", "confidence": "certain", "healthy": false, "connections": 10 });
    assert_advice(assert_diagnosed(&report, &expected), "'Connection: close'");
}

/// Go also closes a connection that the server is about to close, and is sometimes first. This is the same cause.
#[test]
fn client_obeying_connection_close_is_diagnosed_as_server_closing() {
    let report = watched(NO_KEEP_ALIVE, (50, 50), go_client("-read -times 50"));
    let closes = &group(&report)["closes"];
    let by = |cause: &str| closes[cause].as_u64().unwrap_or(0);
    let (server, client) = (by("server-closed-after-response"), by("closed-after-response"));
    assert_eq!(server + client, 50, "{closes:#}");
    let diagnosis = assert_diagnosed(&report, &json!({ "cause": "server-closes-each", "connections": server }));
    assert_advice(diagnosis, "'Connection: close'");
}
