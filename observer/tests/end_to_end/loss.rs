//! Buffers and maps that are too small. Losses are counted, and everything else stays exact.

use std::{
    net::{SocketAddr, TcpStream},
    path::Path,
    process,
};

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::{
    flood::{CONNECTION_PER_REQUEST, KEPT_ALIVE},
    support::{
        dialogue::Dialogue,
        hosts::Hosts,
        machine::{Machine, allow_open_files},
        metrics::{MeteredWatch, Samples},
        peer::{self, Peer, ask, echo},
        python::python,
        report::Report,
        tool::{self, RunOutput},
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

/// Each socket is to an address of its own, and there are more of them than a listing has room for.
#[test]
fn sockets_beyond_the_room_of_a_listing_are_counted_as_unlisted() {
    const ROOM: u64 = 1_024;
    const DESTINATIONS: u16 = 700;
    const SOCKETS: u64 = 2 * DESTINATIONS as u64;
    let machine = Machine::alone();
    allow_open_files(2 * SOCKETS + 500);
    let peer = Peer::at("0.0.0.0:0", echo);
    let recording = tempdir().expect("cannot create a directory");
    let path = recording.path().join("recording");
    let options = format!("-p {} --max-connections {ROOM} --record {}", peer.port(), path.display());
    let metered = MeteredWatch::start(&machine, &options);
    let to = |n: u16| peer::connect(SocketAddr::from(([127, 1, n.to_be_bytes()[0], n.to_be_bytes()[1]], peer.port())));
    // To each address one socket in TIME_WAIT and one that stays open.
    (0..DESTINATIONS).for_each(|n| ask(&mut to(n)));
    let open: Vec<TcpStream> = (0..DESTINATIONS).map(to).collect();
    peer.wait_for_done(DESTINATIONS.into());
    let lost = |samples: &Samples| samples.sum("tcp_reuse_watch_sockets_lost_total", &["where=\"states\""]);
    metered.scrape_until("a listing leaves sockets out", |samples| lost(samples) >= SOCKETS - ROOM);
    let report = metered.end();
    drop(open);
    assert!(report.total("unlisted") >= SOCKETS - ROOM, "{}", report.summary["totals"]);
    report.assert_totals(&json!({ "opened": SOCKETS, "open": DESTINATIONS, "untracked": 0, "events_lost": 0 }));
    assert_eq!(verdict(&report), (&json!(false), &json!(false)), "{}", report.summary["totals"]);
    let listed = report.summary["sockets"].as_array().expect("sockets is a list");
    let states = listed.iter().flat_map(|remote| remote["states"].as_object().expect("an object").values());
    assert_eq!(states.filter_map(Value::as_u64).sum::<u64>(), ROOM, "sockets listed");
    assert_eq!(replayed(&path)["totals"], report.summary["totals"]);
}

/// The summary of a recording.
fn replayed(recording: &Path) -> Value {
    let mut replay = tool::command("replay --speed max -o json");
    let ended = RunOutput::run(replay.arg(recording));
    ended.assert_code(0);
    serde_json::from_str(ended.stdout.lines().last().expect("a summary")).expect("the summary is JSON")
}

/// A filter by process leaves out a connection whose process is not looked up, so its count may be lost.
#[test]
fn sockets_beyond_the_room_for_owners_are_counted_as_ownerless() {
    const ROOM: u64 = 65_536;
    const EACH: u64 = 14_000;
    const CLIENTS: u64 = 5;
    let machine = Machine::alone();
    let hosts = Hosts::new();
    // The far host drops what is for this network: it forwards nothing.
    hosts.near.add_route("198.51.100.0/24", hosts.far.ipv4);
    let clients: Vec<Dialogue> = (0..CLIENTS)
        .map(|n| {
            let mut client = python("pending.py");
            client.args([&format!("198.51.100.{}", n + 1), &EACH.to_string()]);
            let mut client = Dialogue::start(&mut hosts.near.run(&client));
            client.wait_for_line("pending");
            client
        })
        .collect();
    let watch = hosts.near.watch(&machine, format!("-p 1-1000 --max-connections 64 --pid {}", process::id()));
    drop(clients);
    let report = watch.end();
    report.assert_totals(&json!({ "ownerless": CLIENTS * EACH - ROOM, "opened": 0, "untracked": 0, "ungrouped": 0 }));
    assert_eq!(verdict(&report), (&json!(false), &json!(false)), "{:#}", report.summary);
}
