//! Buffers and maps that are too small. Losses are counted, and everything else stays exact.

use std::net::TcpStream;

use serde_json::{Value, json};

use crate::{
    flood::{CONNECTION_PER_REQUEST, KEPT_ALIVE},
    support::{
        machine::{Machine, allow_open_files},
        peer::{Peer, ask},
        report::Report,
    },
};

fn verdict(report: &Report) -> (&Value, &Value) {
    (&report.summary["complete"], &report.summary["exact"])
}

#[test]
fn small_ring_loses_rows_but_totals_stay_exact() {
    let machine = Machine::alone();
    // On kept connections, only a row for each exchange fills the ring.
    for (load, options) in [(CONNECTION_PER_REQUEST, "--ring-size 4096"), (KEPT_ALIVE, "--ring-size 4096 --exchanges")]
    {
        let (report, truth) = load.watched(&machine, options);
        load.assert_totals(&report, truth);
        assert!(report.total("events_lost") > 0, "{:#}", report.summary);
        assert_eq!(verdict(&report), (&json!(false), &json!(true)), "{:#}", report.summary);
    }
}

#[test]
fn connections_beyond_max_connections_are_counted_as_untracked() {
    const CONNECTIONS: u64 = 1_000;
    const LIMIT: u64 = 64;
    let machine = Machine::alone();
    // Both ends of each connection are in this process.
    allow_open_files(2 * CONNECTIONS + 500);
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {} --max-connections {LIMIT}", peer.port()));
    let mut streams: Vec<TcpStream> = (0..CONNECTIONS).map(|_| peer.connect()).collect();
    for stream in &mut streams {
        ask(stream);
    }
    assert_eq!(peer.accepted(), CONNECTIONS);
    drop(streams);
    peer.wait_for(CONNECTIONS);
    let report = watch.end();
    println!("{}", report.summary["totals"]);
    report.assert_totals(&json!({ "opened": LIMIT, "closed": LIMIT, "open": 0, "failed": 0, "unused": 0 }));
    report.assert_totals(&json!({ "exchanges": LIMIT, "new": LIMIT, "untracked": CONNECTIONS - LIMIT }));
    assert_eq!(verdict(&report), (&json!(false), &json!(false)), "{:#}", report.summary);
}

#[test]
fn freed_connection_slots_are_reused() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {} --max-connections 8", peer.port()));
    for round in 1..=20 {
        let mut streams: Vec<TcpStream> = (0..8).map(|_| peer.connect()).collect();
        for stream in &mut streams {
            ask(stream);
        }
        drop(streams);
        peer.wait_for(8 * round);
    }
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 160, "closed": 160, "exchanges": 160 }));
}
