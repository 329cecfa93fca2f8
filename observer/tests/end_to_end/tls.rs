//! The requests of unread_bodies.rs over HTTPS: their content is invisible, and the counts are the same. Handshakes are
//! no exchanges.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    go::{self, Server},
    machine::Machine,
    report::{Report, assert_fields},
    tool::Process,
};

/// Watches ten requests over this TLS version, and asserts the totals.
fn fetch(version: &str, client: &str, connections: u64) {
    let machine = Machine::shared();
    let server = Server::start(&format!("-tls {version} -body 1048576"));
    let watch = machine.watch(format!("-p {}", server.port));
    let url = format!("https://{}", server.address());
    let mut client = Process::start(&mut go::client(&format!("-url {url} -tls {version} {client}")));
    let status = client.wait(Duration::from_mins(2));
    assert!(status.success(), "the client ended with {status}");
    let truth = server.truth();
    assert_eq!((truth.connections, truth.requests), (connections, 10), "counts of the server");
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
fn bodies_closed_unread_over_tls_1_2_need_ten_connections() {
    fetch("1.2", "", 10);
}

#[test]
fn bodies_read_to_the_end_over_tls_1_2_need_one_connection() {
    fetch("1.2", "-read", 1);
}

#[test]
fn bodies_closed_unread_over_tls_1_3_need_ten_connections() {
    fetch("1.3", "", 10);
}

#[test]
fn bodies_read_to_the_end_over_tls_1_3_need_one_connection() {
    fetch("1.3", "-read", 1);
}

#[test]
fn failed_handshake_is_an_unused_connection() {
    let machine = Machine::shared();
    for (server, client) in [("1.3", "1.2"), ("1.2", "1.3")] {
        let server = Server::start(&format!("-tls {server}"));
        let watch = machine.watch(format!("-p {}", server.port));
        let url = format!("https://{}", server.address());
        let status = go::client(&format!("-url {url} -tls {client} -times 1"))
            .stderr(std::process::Stdio::null())
            .status()
            .expect("cannot run the client");
        assert!(!status.success(), "client and server have no version in common");
        let truth = server.truth();
        assert_eq!((truth.connections, truth.requests), (1, 0), "counts of the server");
        let report = watch.end();
        report.assert_complete();
        report.assert_totals(&json!({ "opened": 1, "closed": 1, "unused": 1, "exchanges": 0, "reuse_ratio": null }));
        assert_fields(report.only("close"), &json!({ "protocol": "tls", "exact": true }));
    }
}
