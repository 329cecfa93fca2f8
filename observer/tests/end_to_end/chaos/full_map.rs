//! More connections than the watch has room for. The others are untracked, which every output shows, and what is tracked
//! is counted right.

use std::{io::Read as _, net::TcpStream, time::Duration};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{
    dashboard::Dashboard,
    machine::Machine,
    metrics::MeteredWatch,
    peer::{Peer, ask},
    tool::RunningWatch,
};

/// The least that `--max-connections` takes on every machine without rounding.
const ROOM: u64 = 8;
const MORE: u64 = 5;
const ROUNDS: u64 = 3;

/// Opens more connections than there is room for, with two exchanges on each, and closes them. All of it several times.
fn crowd(peer: &Peer) {
    for round in 1..=ROUNDS {
        let mut streams: Vec<TcpStream> = (0..ROOM + MORE).map(|_| peer.connect()).collect();
        for stream in &mut streams {
            (0..2).for_each(|_| ask(stream));
        }
        drop(streams);
        peer.wait_for((ROOM + MORE) * round);
    }
}

#[test]
fn untracked_connections_are_counted_and_tracked_ones_are_right() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let metered = MeteredWatch::start(&machine, &format!("-p {} --max-connections {ROOM}", peer.port()));
    crowd(&peer);
    let untracked = MORE * ROUNDS;
    let samples = metered.scrape_until("all are counted", |samples| {
        samples.sum("tcp_reuse_watch_connections_untracked_total", &[]) == untracked
    });
    assert_eq!(samples.sum("tcp_reuse_host_connections_opened_total", &[]), ROOM * ROUNDS, "{samples:#?}");
    let report = metered.end();
    let tracked = ROOM * ROUNDS;
    report.assert_totals(&json!({ "opened": tracked, "closed": tracked, "open": 0, "untracked": untracked }));
    report.assert_totals(&json!({ "exchanges": 2 * tracked, "new": tracked, "reused": tracked, "unused": 0 }));
    assert_eq!((&report.summary["complete"], &report.summary["exact"]), (&json!(false), &json!(false)));
    for close in report.of_type("close") {
        assert_eq!((&close["exchanges"], &close["exact"]), (&Value::from(2), &json!(true)), "{close:#}");
    }
}

#[test]
fn people_are_told_of_untracked_connections() {
    let _machine = Machine::shared();
    let peer = Peer::echo();
    let mut watch = RunningWatch::start(&format!("-p {} -o lines --max-connections {ROOM}", peer.port()));
    crowd(&peer);
    watch.tool.signal(Signal::INT);
    let mut text = String::new();
    watch.stdout.read_to_string(&mut text).expect("the output is UTF-8");
    assert_eq!(watch.tool.wait(Duration::from_mins(2)).code(), Some(0));
    assert!(text.contains("15 connections") && text.contains("--max-connections"), "{text}");

    let peer = Peer::echo();
    let mut dashboard = Dashboard::start(&format!("-p {} --max-connections {ROOM}", peer.port()));
    crowd(&peer);
    dashboard.assert_shows(&["LOST 15 connections not counted"]);
    let text = dashboard.quit();
    assert!(text.contains("--max-connections"), "{text}");
}
