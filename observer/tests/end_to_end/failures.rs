//! Connects that never came through. They open nothing.

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
    sockets::{Closed, Silent, bound, connect, local_address, socket},
};

/// One failed connect and nothing else, by this error.
#[track_caller]
fn assert_failed(report: &Report, remote: SocketAddr, error: &str) {
    report.assert_complete();
    report.assert_totals(&json!({ "failed": 1, "opened": 0, "closed": 0, "unused": 0, "exchanges": 0 }));
    report.assert_totals(&json!({ "reuse_ratio": null }));
    let [group] = report.groups() else { panic!("one group was expected: {:#}", report.summary) };
    assert_eq!(group["failures"], json!({ error: 1 }));
    let row = report.only("failed");
    assert_fields(row, &json!({ "error": error, "remote": remote.to_string(), "pid": process::id() }));
    assert_eq!(report.rows.len(), 1, "{:#?}", report.rows);
}

#[test]
fn refused() {
    let machine = Machine::shared();
    let closed = Closed::new();
    let watch = machine.watch(format!("-p {}", closed.address.port()));
    TcpStream::connect(closed.address).expect_err("nobody listens");
    assert_failed(&watch.end(), closed.address, "ECONNREFUSED");
}

#[test]
fn refused_and_tried_again_on_the_same_socket() {
    let machine = Machine::shared();
    let closed = Closed::new();
    let address = closed.address;
    let watch = machine.watch(format!("-p {}", address.port()));
    let socket = socket();
    for _ in 0..2 {
        assert_eq!(connect(&socket, address), Err(Errno::CONNREFUSED));
    }
    let peer = Peer::on(closed.open(), echo);
    connect(&socket, address).expect("now somebody listens");
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
fn no_answer_in_time() {
    let machine = Machine::shared();
    let silent = Silent::new();
    let watch = machine.watch(format!("-p {}", silent.address.port()));
    let socket = socket();
    set_tcp_user_timeout(&socket, 300).expect("a timeout can be set");
    assert_eq!(connect(&socket, silent.address), Err(Errno::TIMEDOUT));
    assert_failed(&watch.end(), silent.address, "ETIMEDOUT");
}

#[test]
fn given_up() {
    let machine = Machine::shared();
    let silent = Silent::new();
    let watch = machine.watch(format!("-p {}", silent.address.port()));
    let socket = silent.begin_connect();
    drop(socket);
    assert_failed(&watch.end(), silent.address, "abandoned");
}

#[test]
fn still_connecting_is_neither_open_nor_failed() {
    let machine = Machine::shared();
    let silent = Silent::new();
    let watch = machine.watch(format!("-p {}", silent.address.port()));
    let _connecting = silent.begin_connect();
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "failed": 0, "opened": 0, "closed": 0, "exchanges": 0 }));
    assert!(report.rows.is_empty(), "{:#?}", report.rows);
}

#[test]
fn no_local_port_left() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {}", peer.port()));
    let first = bound(SocketAddr::from(([127, 0, 0, 1], 0)));
    let second = bound(local_address(&first));
    connect(&first, peer.address).expect("its address is free");
    assert_eq!(connect(&second, peer.address), Err(Errno::ADDRNOTAVAIL));
    drop((first, second));
    peer.wait_for(1);
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "failed": 1, "opened": 1, "closed": 1, "unused": 1, "exchanges": 0 }));
    assert_fields(report.only("failed"), &json!({ "error": "EADDRNOTAVAIL", "remote": peer.address.to_string() }));
}
