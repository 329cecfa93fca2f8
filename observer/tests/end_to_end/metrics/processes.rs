//! Five thousand processes that come and go, each of a name of its own: series and memory are bounded, totals exact.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread::{scope, sleep},
    time::Duration,
};

use serde_json::json;

use crate::support::{
    machine::Machine,
    metrics::{Metered, Samples},
    peer::{Peer, ask, echo},
    programs::output_of,
    python::python,
};

const PROCESSES: u64 = 5_000;
const MOST_SETS: usize = 50;
/// Of a label set at most, by what it can count.
const MOST_SERIES_OF_A_SET: usize = 46;
/// Of the watch itself.
const MOST_OTHER_SERIES: usize = 40;
/// Of this, some 25 MB are what the tracker keeps of ended processes of so many names.
const MOST_RESIDENT_KIB: u64 = 80 << 10;

/// What the tool has in memory now, in KiB.
fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn label_sets(samples: &Samples) -> usize {
    samples.0.keys().filter(|series| series.starts_with("tcp_reuse_connections_open{")).count()
}

#[test]
fn five_thousand_processes_that_come_and_go() {
    let machine = Machine::alone();
    let answered = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&answered);
    let peer = Peer::new(move |stream| {
        echo(stream);
        counted.fetch_add(1, SeqCst);
    });
    let metered = Metered::start(&machine, &format!("-p {} --metrics-series {MOST_SETS}", peer.port()));
    let pid = metered.watch.tool.id();
    let port = peer.port();
    let run = |from: u64, to: u64| {
        output_of(python("many_processes.py").args([port.into(), from, to].map(|n| n.to_string())));
    };
    let before_kib = resident_kib(pid);
    let mut before = Samples::default();
    scope(|threads| {
        let halves = [(0, PROCESSES / 2), (PROCESSES / 2, PROCESSES)];
        let halves = halves.map(|(from, to)| threads.spawn(move || run(from, to)));
        while !halves.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            let now = metered.scrape();
            now.assert_grown_from(&before);
            assert!(label_sets(&now) <= MOST_SETS + 1, "{} label sets", label_sets(&now));
            before = now;
            sleep(Duration::from_millis(200));
        }
    });
    assert_eq!((peer.accepted(), answered.load(SeqCst)), (PROCESSES, PROCESSES), "what the peer counted");
    let all = metered.scrape_until("all have been counted", |samples| samples.host_exchanges() == (PROCESSES, 0));
    all.assert_grown_from(&before);
    assert_eq!(all.exchanges(), (PROCESSES, 0), "the sets, with what had no room");
    assert_eq!(label_sets(&all), MOST_SETS + 1);
    assert_eq!(all.sum("tcp_reuse_exchanges_total", &["overflow=\"true\"", "new"]), PROCESSES - MOST_SETS as u64);
    let most = (MOST_SETS + 1) * MOST_SERIES_OF_A_SET + MOST_OTHER_SERIES;
    assert!(all.0.len() <= most, "{} series", all.0.len());
    let after_kib = resident_kib(pid);
    println!("{} series; resident {before_kib} KiB before, {after_kib} KiB after", all.0.len());
    assert!(after_kib < MOST_RESIDENT_KIB, "resident {before_kib} KiB before, {after_kib} KiB after");
    let report = metered.end();
    report.assert_totals(&json!({ "opened": PROCESSES, "closed": PROCESSES, "new": PROCESSES, "reused": 0 }));
}

/// Of a process that goes on, and is silent for a while.
#[test]
fn what_is_over_leaves_and_begins_anew() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let metered = Metered::start(&machine, &format!("-p {} --metrics-expiry 2s", peer.port()));
    ask(&mut peer.connect());
    metered.scrape_until("it is counted", |samples| samples.exchanges() == (1, 0));
    let gone = metered.scrape_until("it is over", |samples| label_sets(samples) == 0);
    assert_eq!((gone.exchanges(), gone.host_exchanges()), ((0, 0), (1, 0)), "{gone:#?}");
    let mut stream = peer.connect();
    (0..3).for_each(|_| ask(&mut stream));
    let back = metered.scrape_until("it is back", |samples| samples.exchanges() == (1, 2));
    assert_eq!(back.host_exchanges(), (2, 2), "{back:#?}");
    sleep(Duration::from_secs(3));
    assert_eq!(metered.scrape().exchanges(), (1, 2), "it is open");
    drop(stream);
    peer.wait_for(2);
    metered.end().assert_totals(&json!({ "opened": 2, "new": 2, "reused": 2 }));
}
