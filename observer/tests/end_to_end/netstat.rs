//! Sockets by state, as netstat shows them, including sockets that no process holds any more.

use std::io::Read as _;

use serde_json::json;

use crate::support::{
    machine::Machine,
    peer::{Peer, ask},
};

#[test]
fn local_close_leaves_time_wait() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let mut open = peer.connect();
    ask(&mut open);
    let watch = machine.watch(format!("-p {}", peer.port()));
    for _ in 0..7 {
        ask(&mut peer.connect());
    }
    peer.wait_for_done(7);
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "time_wait": 7, "opened": 7, "open": 1 }));
    let remote = json!({ "remote": "127.0.0.1", "port": peer.port(), "states": { "ESTABLISHED": 1, "TIME_WAIT": 7 } });
    assert_eq!(report.summary["sockets"], json!([remote]));
}

#[test]
fn peer_close_leaves_close_wait() {
    let machine = Machine::shared();
    // The peer closes by returning.
    let peer = Peer::new(drop);
    let watch = machine.watch(format!("-p {}", peer.port()));
    let stream = peer.connect();
    peer.wait_for(1);
    // A read of zero bytes means that the peer's FIN has arrived.
    assert_eq!((&stream).read(&mut [0]).expect("cannot read the end of the stream"), 0);
    let report = watch.end();
    report.assert_totals(&json!({ "time_wait": 0, "open": 1 }));
    assert_eq!(report.summary["sockets"][0]["states"], json!({ "CLOSE_WAIT": 1 }));
}
