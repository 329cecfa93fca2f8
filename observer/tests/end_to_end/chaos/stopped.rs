//! The watch is stopped for some seconds while connections come and go, and continues. The kernel counts meanwhile.

use std::{thread::sleep, time::Duration};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{
    machine::Machine,
    peer::{Peer, ask, visit},
};

/// Longer than two samples, and than the pause between two reads of the ring buffer.
const STOPPED: Duration = Duration::from_secs(4);

/// With room for a few rows only, the others are lost, and counted as such.
#[test]
fn stopped_watch_loses_rows_but_no_counts() {
    const CONNECTIONS: u64 = 500;
    let machine = Machine::shared();
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {} --ring-size 4096", peer.port()));
    let mut kept = peer.connect();
    ask(&mut kept);
    watch.tool.signal(Signal::STOP);
    visit(&peer, CONNECTIONS);
    ask(&mut kept);
    peer.wait_for_done(CONNECTIONS);
    sleep(STOPPED);
    watch.tool.signal(Signal::CONT);
    ask(&mut kept);
    drop(kept);
    peer.wait_for(CONNECTIONS + 1);
    let report = watch.end();
    report.assert_totals(&json!({ "opened": CONNECTIONS + 1, "closed": CONNECTIONS + 1, "open": 0, "untracked": 0 }));
    report.assert_totals(&json!({ "new": CONNECTIONS + 1, "reused": 2, "exchanges": CONNECTIONS + 3, "inexact": 0 }));
    let rows = (report.of_type("open").len() + report.of_type("close").len()) as u64;
    let lost = report.total("events_lost");
    assert!(lost > 0, "{:#}", report.summary);
    assert_eq!(rows + lost, 2 * (CONNECTIONS + 1), "rows that are shown or counted as lost");
    assert_eq!((&report.summary["complete"], &report.summary["exact"]), (&json!(false), &json!(true)));
}

/// With enough room, not even a row is lost.
#[test]
fn stopped_watch_catches_up() {
    const CONNECTIONS: u64 = 500;
    let machine = Machine::shared();
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {}", peer.port()));
    for round in 1..=2 {
        watch.tool.signal(Signal::STOP);
        visit(&peer, CONNECTIONS);
        peer.wait_for(round * CONNECTIONS);
        sleep(STOPPED);
        watch.tool.signal(Signal::CONT);
    }
    let report = watch.end();
    report.assert_complete();
    report
        .assert_totals(&json!({ "opened": 2 * CONNECTIONS, "closed": 2 * CONNECTIONS, "exchanges": 2 * CONNECTIONS }));
}
