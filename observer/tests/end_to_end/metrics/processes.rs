//! 5,000 short-lived processes with many names: series stay bounded, nothing is held for ended processes, and totals are
//! exact.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread::{scope, sleep},
    time::Duration,
};

use serde_json::json;

use crate::support::{
    eventually,
    kernel::held_by,
    machine::{Machine, open_files_of},
    metrics::{MeteredWatch, Samples, scrape, scrape_until, start_daemon},
    peer::{Peer, ask, echo},
    programs::output_of,
    python::python,
    sockets::ReservedPort,
    tool,
};

const PROCESSES: u64 = 5_000;
/// Each name occurs twice.
const NAMES: u64 = PROCESSES / 2;
const MAX_SETS: usize = 48;
/// The share of one user, who runs all the processes.
const SETS_OF_USER: usize = MAX_SETS * 3 / 4;
/// Upper bound of the series in a label set.
const MAX_SERIES_PER_SET: usize = 46;
/// Upper bound of the series about the watch itself.
const MAX_OTHER_SERIES: usize = 40;

fn label_sets(samples: &Samples) -> usize {
    samples.0.keys().filter(|series| series.starts_with("tcp_reuse_connections_open{")).count()
}

#[test]
fn five_thousand_short_lived_processes_leave_nothing_behind_but_bounded_series() {
    let _machine = Machine::alone();
    let answered = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&answered);
    let peer = Peer::new(move |stream| {
        echo(stream);
        counted.fetch_add(1, SeqCst);
    });
    let metrics = ReservedPort::new().address;
    let tool = start_daemon(&mut tool::command(&format!("-p {} --metrics-series {MAX_SETS}", peer.port())), metrics);
    let port = peer.port();
    let run = |from: u64, to: u64| {
        output_of(python("many_processes.py").args([port.into(), from, to].map(|n| n.to_string())));
    };
    let mut before = Samples::default();
    let files = open_files_of(tool.id());
    for half in [1, 2] {
        scope(|threads| {
            let quarters = [(0, NAMES / 2), (NAMES / 2, NAMES)];
            let quarters = quarters.map(|(from, to)| threads.spawn(move || run(from, to)));
            while !quarters.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                let now = scrape(metrics);
                now.assert_not_decreased_since(&before);
                assert!(label_sets(&now) <= SETS_OF_USER + 1, "{} label sets", label_sets(&now));
                before = now;
                sleep(Duration::from_millis(200));
            }
        });
        scrape_until(metrics, "all have been counted", |samples| samples.host_exchanges() == (half * NAMES, 0));
        // A descriptor tells of the end of each process, and a sample frees what is held for it.
        eventually("nothing is held for the ended processes", || {
            held_by(tool.id()) == (0, 0) && open_files_of(tool.id()) <= files
        });
    }
    assert_eq!((peer.accepted(), answered.load(SeqCst)), (PROCESSES, PROCESSES), "counts of the peer");
    let all = scrape_until(metrics, "all are closed", |samples| samples.sum("tcp_reuse_connections_open", &[]) == 0);
    all.assert_not_decreased_since(&before);
    assert_eq!(all.exchanges(), (PROCESSES, 0), "exchanges of all label sets, including the overflow");
    assert_eq!(all.sum("tcp_reuse_host_connections_opened_total", &[]), PROCESSES);
    assert_eq!(label_sets(&all), SETS_OF_USER + 1);
    let with_room = SETS_OF_USER as u64;
    let overflow = all.sum("tcp_reuse_exchanges_total", &["overflow=\"true\"", "new"]);
    assert_eq!(overflow, PROCESSES - 2 * with_room, "exchanges in the overflow set");
    assert_eq!(all.sum("tcp_reuse_watch_series_overflowed", &[]), NAMES - with_room);
    let most = (SETS_OF_USER + 1) * MAX_SERIES_PER_SET + MAX_OTHER_SERIES;
    assert!(all.0.len() <= most, "{} series", all.0.len());
}

/// The process keeps running and pauses for longer than the expiry.
#[test]
fn expired_label_set_starts_again_from_zero() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let metered = MeteredWatch::start(&machine, &format!("-p {} --metrics-expiry 2s", peer.port()));
    ask(&mut peer.connect());
    metered.scrape_until("the exchange is counted", |samples| samples.exchanges() == (1, 0));
    let gone = metered.scrape_until("the label set has expired", |samples| label_sets(samples) == 0);
    assert_eq!((gone.exchanges(), gone.host_exchanges()), ((0, 0), (1, 0)), "{gone:#?}");
    let mut stream = peer.connect();
    (0..3).for_each(|_| ask(&mut stream));
    let back = metered.scrape_until("the label set is back", |samples| samples.exchanges() == (1, 2));
    assert_eq!(back.host_exchanges(), (2, 2), "{back:#?}");
    sleep(Duration::from_secs(3));
    assert_eq!(metered.scrape().exchanges(), (1, 2), "a label set with an open connection should not expire");
    drop(stream);
    peer.wait_for(2);
    metered.end().assert_totals(&json!({ "opened": 2, "new": 2, "reused": 2 }));
}
