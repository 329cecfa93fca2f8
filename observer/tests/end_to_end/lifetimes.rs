//! Connection lifetimes, measured by the client's clock; and the exchanges of closed connections.

use std::{
    fs,
    net::{Shutdown, SocketAddr},
    path::Path,
    thread::{sleep, spawn},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{
    contract::LIFETIMES,
    machine::Machine,
    peer::{Peer, ask, connect, read_answer, send_request},
    report::assert_fields,
};

/// The upper bounds of all buckets except the last.
const BOUNDS_MS: [u64; 8] = [1, 10, 100, 1_000, 10_000, 60_000, 600_000, 3_600_000];

/// Holds a connection for this time, and returns bounds of its lifetime.
fn hold(address: SocketAddr, time: Duration) -> (Duration, Duration) {
    let before = Instant::now();
    let mut stream = connect(address);
    let connected = Instant::now();
    ask(&mut stream);
    sleep(time);
    let least = connected.elapsed();
    stream.shutdown(Shutdown::Write).expect("cannot shut down the stream");
    (least, before.elapsed())
}

fn bucket(lifetime: Duration) -> usize {
    BOUNDS_MS.iter().position(|bound_ms| lifetime <= Duration::from_millis(*bound_ms)).unwrap_or(8)
}

#[test]
fn each_closed_connection_is_in_its_lifetime_bucket() {
    const HELD_MS: [u64; 7] = [0, 3, 3, 30, 300, 300, 1_300];
    let machine = Machine::shared();
    let peer = Peer::echo();
    let address = peer.address;
    let watch = machine.watch(format!("-p {}", peer.port()));
    let still_open = peer.connect();
    let held: Vec<_> = HELD_MS.map(|ms| spawn(move || hold(address, Duration::from_millis(ms)))).into();
    let held: Vec<(Duration, Duration)> = held.into_iter().map(|thread| thread.join().unwrap()).collect();
    peer.wait_for_done(HELD_MS.len() as u64);
    let report = watch.end();
    drop(still_open);
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 8, "closed": 7, "open": 1, "exchanges": 7 }));
    let shown = &report.groups()[0]["lifetimes"];
    // The count up to each bound lies between the connections that have certainly ended by then and those that may
    // have.
    for end in 0..LIFETIMES.len() {
        let up_to: u64 = LIFETIMES[..=end].iter().map(|name| shown[*name].as_u64().unwrap()).sum();
        let least = held.iter().filter(|(_, most)| bucket(*most) <= end).count() as u64;
        let most = held.iter().filter(|(least, _)| bucket(*least) <= end).count() as u64;
        assert!(
            (least..=most).contains(&up_to),
            "up to {}: {least} to {most} in {held:?}, but {shown:#}",
            LIFETIMES[end]
        );
    }
}

/// The counters of a group in the last sample of a recording.
fn recorded(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("cannot read the recording");
    let mut samples = text.lines().filter_map(|line| {
        let mut line: Value = serde_json::from_str(line).expect("a recording is JSON");
        Some(line["sample"]["groups"].as_array_mut()?.pop()?["counters"].take())
    });
    samples.next_back().expect("the recording has a group")
}

/// One open connection, one closed connection, and one whose last answer is read after its socket has reached CLOSE.
#[test]
fn answer_read_after_the_close_is_counted_once_in_the_histogram() {
    let machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let file = folder.path().join("recording");
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {} --record {}", peer.port(), file.display()));
    let mut open = peer.connect();
    (0..3).for_each(|_| ask(&mut open));
    let mut twelve = peer.connect();
    (0..12).for_each(|_| ask(&mut twelve));
    drop(twelve);
    let mut late = peer.connect();
    ask(&mut late);
    send_request(&mut late);
    late.shutdown(Shutdown::Write).expect("cannot shut down the stream");
    peer.wait_for_done(2);
    // Both FINs are sent and acknowledged.
    sleep(Duration::from_millis(50));
    read_answer(&mut late);
    drop(late);
    let report = watch.end();
    drop(open);
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 3, "closed": 2, "open": 1, "exchanges": 3 + 12 + 2 }));
    assert_fields(&report.groups()[0]["exchanges_per_connection"], &json!({ "1": 0, "2-9": 2, "10-99": 1 }));
    let counters = recorded(&file);
    assert_eq!(counters["closed_exchanges"], json!([0, 1, 1]), "{counters:#}");
    assert_eq!(counters["closed_exchanges_sum"], 12 + 2);
}
