//! Failed connects open no connection.

use std::{
    net::{SocketAddr, TcpStream},
    process,
};

use rustix::{io::Errno, net::sockopt::set_tcp_user_timeout};
use serde_json::json;

use crate::support::{
    machine::Machine,
    peer::{Peer, ask, echo},
    report::{Report, assert_fields},
    sockets::{ReservedPort, UnresponsiveListener, bound, connect, local_address, socket},
};

/// Asserts that the report has exactly one failed connect, with this error.
#[track_caller]
fn assert_failed(report: &Report, remote: SocketAddr, error: &str) {
    report.assert_complete();
    report.assert_totals(&json!({ "failed": 1, "opened": 0, "closed": 0, "unused": 0, "exchanges": 0 }));
    report.assert_totals(&json!({ "reuse_ratio": null }));
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_eq!(group["failures"], json!({ error: 1 }));
    let row = report.only("failed");
    assert_fields(row, &json!({ "error": error, "remote": remote.to_string(), "pid": process::id() }));
    assert_eq!(report.rows.len(), 1, "{:#?}", report.rows);
}

#[test]
fn refused_connect_fails_with_econnrefused() {
    let machine = Machine::shared();
    let closed = ReservedPort::new();
    let watch = machine.watch(format!("-p {}", closed.address.port()));
    TcpStream::connect(closed.address).expect_err("the connect should be refused");
    assert_failed(&watch.end(), closed.address, "ECONNREFUSED");
}

#[test]
fn each_refused_connect_on_a_socket_counts_as_a_failure() {
    let machine = Machine::shared();
    let closed = ReservedPort::new();
    let address = closed.address;
    let watch = machine.watch(format!("-p {}", address.port()));
    let socket = socket();
    for _ in 0..2 {
        assert_eq!(connect(&socket, address), Err(Errno::CONNREFUSED));
    }
    let peer = Peer::on(closed.listen(), echo);
    connect(&socket, address).expect("cannot connect to the listener");
    let mut stream = TcpStream::from(socket);
    ask(&mut stream);
    ask(&mut stream);
    drop(stream);
    peer.wait_for(1);
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "failed": 2, "opened": 1, "closed": 1, "exchanges": 2, "new": 1, "reused": 1 }));
    assert_eq!(report.groups()[0]["failures"], json!({ "ECONNREFUSED": 2 }));
    let failed = report.of_type("failed");
    assert_eq!(failed.len(), 2);
    assert!(failed.iter().all(|row| row["id"] != report.only("open")["id"]), "{report:#?}");
}

#[test]
fn unanswered_connect_fails_with_etimedout() {
    let machine = Machine::shared();
    let silent = UnresponsiveListener::new();
    let watch = machine.watch(format!("-p {}", silent.address.port()));
    let socket = socket();
    set_tcp_user_timeout(&socket, 300).expect("cannot set the timeout");
    assert_eq!(connect(&socket, silent.address), Err(Errno::TIMEDOUT));
    assert_failed(&watch.end(), silent.address, "ETIMEDOUT");
}

#[test]
fn abandoned_connect_counts_as_a_failure() {
    let machine = Machine::shared();
    let silent = UnresponsiveListener::new();
    let watch = machine.watch(format!("-p {}", silent.address.port()));
    let socket = silent.begin_connect();
    drop(socket);
    assert_failed(&watch.end(), silent.address, "abandoned");
}

#[test]
fn pending_connect_is_neither_open_nor_failed() {
    let machine = Machine::shared();
    let silent = UnresponsiveListener::new();
    let watch = machine.watch(format!("-p {}", silent.address.port()));
    let _connecting = silent.begin_connect();
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "failed": 0, "opened": 0, "closed": 0, "exchanges": 0 }));
    assert!(report.rows.is_empty(), "{:#?}", report.rows);
}

#[test]
fn missing_local_port_fails_with_eaddrnotavail() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {}", peer.port()));
    let first = bound(SocketAddr::from(([127, 0, 0, 1], 0)));
    let second = bound(local_address(&first));
    connect(&first, peer.address).expect("cannot connect from a free address");
    assert_eq!(connect(&second, peer.address), Err(Errno::ADDRNOTAVAIL));
    drop((first, second));
    peer.wait_for(1);
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "failed": 1, "opened": 1, "closed": 1, "unused": 1, "exchanges": 0 }));
    assert_fields(report.only("failed"), &json!({ "error": "EADDRNOTAVAIL", "remote": peer.address.to_string() }));
}
