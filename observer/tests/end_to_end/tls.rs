//! The story over HTTPS: nothing of it can be read, and it counts the same. Handshakes are no exchanges.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    go::{self, Server},
    machine::Machine,
    report::{Report, assert_fields},
    tool::Process,
};

/// Ten requests over this version of TLS, with the totals that are expected.
fn story(version: &str, client: &str, connections: u64) {
    let machine = Machine::shared();
    let server = Server::start(&format!("-tls {version} -body 1048576"));
    let watch = machine.watch(format!("-p {}", server.port));
    let url = format!("https://{}", server.address());
    let mut client = Process::start(&mut go::client(&format!("-url {url} -tls {version} {client}")));
    let status = client.wait(Duration::from_secs(20));
    assert!(status.success(), "the client ended with {status}");
    let truth = server.truth();
    assert_eq!((truth.connections, truth.requests), (connections, 10), "what the server counted");
    assert_counts(&watch.end(), connections);
}

fn assert_counts(report: &Report, connections: u64) {
    let reused = 10 - connections;
    report.assert_complete();
    report.assert_totals(&json!({ "opened": connections, "closed": connections, "failed": 0, "unused": 0 }));
    report.assert_totals(&json!({ "exchanges": 10, "new": connections, "reused": reused }));
    for close in report.of_type("close") {
        assert_fields(close, &json!({ "protocol": "tls", "exact": true, "exchanges": 10 / connections }));
    }
}

#[test]
fn tls_1_2_closed_unread() {
    story("1.2", "", 10);
}

#[test]
fn tls_1_2_read_first() {
    story("1.2", "-read", 1);
}

#[test]
fn tls_1_3_closed_unread() {
    story("1.3", "", 10);
}

#[test]
fn tls_1_3_read_first() {
    story("1.3", "-read", 1);
}

#[test]
fn a_handshake_that_fails_is_an_unused_connection() {
    let machine = Machine::shared();
    for (server, client) in [("1.3", "1.2"), ("1.2", "1.3")] {
        let server = Server::start(&format!("-tls {server}"));
        let watch = machine.watch(format!("-p {}", server.port));
        let url = format!("https://{}", server.address());
        let status = go::client(&format!("-url {url} -tls {client} -times 1"))
            .stderr(std::process::Stdio::null())
            .status()
            .expect("the client runs");
        assert!(!status.success(), "no version is common to both");
        let truth = server.truth();
        assert_eq!((truth.connections, truth.requests), (1, 0), "what the server counted");
        let report = watch.end();
        report.assert_complete();
        report.assert_totals(&json!({ "opened": 1, "closed": 1, "unused": 1, "exchanges": 0, "reuse_ratio": null }));
        assert_fields(report.only("close"), &json!({ "protocol": "tls", "exact": true }));
    }
}
