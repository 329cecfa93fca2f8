//! What netstat shows, beside the counts: sockets by state, those that nobody holds any more included.

use std::io::Read as _;

use serde_json::json;

use crate::support::{
    machine::Machine,
    peer::{Peer, ask},
};

#[test]
fn who_closes_first_keeps_a_time_wait() {
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
fn a_peer_that_closes_first_leaves_us_in_close_wait() {
    let machine = Machine::shared();
    // It closes by coming back.
    let peer = Peer::new(drop);
    let watch = machine.watch(format!("-p {}", peer.port()));
    let stream = peer.connect();
    peer.wait_for(1);
    // The peer's end of a stream, seen by reading, is the FIN.
    assert_eq!((&stream).read(&mut [0]).expect("the end comes"), 0);
    let report = watch.end();
    report.assert_totals(&json!({ "time_wait": 0, "open": 1 }));
    assert_eq!(report.summary["sockets"][0]["states"], json!({ "CLOSE_WAIT": 1 }));
}
