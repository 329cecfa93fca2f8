//! `cargo bench`: how long the pure parts take for one row, one sample, one frame.
//!
//! A root of its own for the modules that it measures, because a program has no library that a benchmark could use, and
//! making one would open everything in it to the outside. Each output's encoder belongs here.
#![allow(
    dead_code,
    unused_imports,
    reason = "what is not measured, and the modules' tests, whose functions fall away here"
)]
#![allow(clippy::unwrap_used, reason = "in these tests")]

mod clock;
mod decode;
mod event;
mod printable;
mod runtime;
mod series;
mod steady;
mod tracker;
mod view;
mod wrap;

use std::time::Duration;

use divan::{Bencher, black_box, counter::ItemsCount};
use ratatui::{Terminal, backend::TestBackend};

use clock::Clock;
use decode::decode;
use event::{About, Cause, GroupCounters, GroupSample, Sample};
use series::{Bounds, Label, Lost, Series};
use tracker::{Row, Snapshot, Tracker};
use view::{Format, JsonView, LinesView, Theme, Tui, View, encode};

const GROUPS: [u32; 3] = [10, 1_000, 10_000];
const MAX_CONNECTIONS: usize = 131_072;
const THEME: Theme = Theme { has_colours: true, has_unicode: true };

fn main() {
    divan::main();
}

/// So many groups, each with something to say.
fn sample(groups: u32) -> Sample {
    let group = |n: u32| {
        let many = u64::from(n);
        let mut counters = GroupCounters {
            opened: 3 + many,
            closed: many,
            new: 2 + many,
            reused: 7 * many,
            ..GroupCounters::default()
        };
        counters.comm[..6].copy_from_slice(b"client");
        counters.exchanges_per_connection[1] = 2 + many;
        counters.closes[Cause::ClientIdle as usize] = many;
        GroupSample { key: steady::key(n), counters, ended: false, process_ended: false, runtime: None, cgroup: None }
    };
    Sample { groups: (0..groups).map(group).collect(), ..Sample::default() }
}

fn about() -> About {
    About { ports: vec!["8080".into()], hooks: vec!["sockops".into()], kernel: "6.18".into(), ..About::default() }
}

/// Bytes from the ring to an event; items are rows.
#[divan::bench]
fn decode_rows(bencher: Bencher) {
    let (records, clock) = (steady::records(1), Clock::new());
    bencher.counter(ItemsCount::new(records.len())).bench_local(|| {
        for record in &records {
            let _ = black_box(decode(black_box(record), clock));
        }
    });
}

/// From the ring through the tracker.
#[divan::bench(args = [1, 100])]
fn ingest_rows(bencher: Bencher, groups: u32) {
    let (records, clock) = (steady::records(groups), Clock::new());
    let mut tracker = Tracker::new(0, MAX_CONNECTIONS);
    bencher.counter(ItemsCount::new(records.len())).bench_local(|| {
        for record in &records {
            if let Ok(event) = decode(record, clock) {
                black_box(tracker.apply(event));
            }
        }
    });
}

#[divan::bench(args = GROUPS)]
fn take_sample(bencher: Bencher, groups: u32) {
    let mut tracker = Tracker::new(0, MAX_CONNECTIONS);
    bencher.with_inputs(|| sample(groups)).bench_local_values(|sample| tracker.sample(sample));
}

#[divan::bench(args = GROUPS)]
fn snapshot(bencher: Bencher, groups: u32) {
    let mut tracker = Tracker::new(0, MAX_CONNECTIONS);
    tracker.sample(sample(groups));
    bencher.bench_local(|| tracker.snapshot(1_000_000_000));
}

fn rows() -> Vec<Row> {
    let clock = Clock::new();
    let mut tracker = Tracker::new(0, MAX_CONNECTIONS);
    let events = steady::records(1).into_iter().filter_map(|record| decode(&record, clock).ok());
    events.map(|event| tracker.apply(event)).collect()
}

fn written(bencher: Bencher, view: &impl View) {
    let rows = rows();
    let mut waiting = Vec::new();
    bencher.counter(ItemsCount::new(rows.len())).bench_local(|| {
        waiting.clear();
        for row in &rows {
            view.row(row, &mut waiting);
        }
        black_box(&waiting);
    });
}

#[divan::bench]
fn json_rows(bencher: Bencher) {
    written(bencher, &JsonView);
}

#[divan::bench]
fn lines_rows(bencher: Bencher) {
    written(bencher, &LinesView);
}

fn watched(groups: u32) -> Snapshot {
    let mut tracker = Tracker::new(0, MAX_CONNECTIONS);
    tracker.sample(sample(groups));
    tracker.snapshot(1_000_000_000)
}

/// The dashboard takes a snapshot.
#[divan::bench(args = GROUPS)]
fn arrange(bencher: Bencher, groups: u32) {
    let snapshot = watched(groups);
    let mut dashboard = Tui::new(THEME, &about());
    bencher.with_inputs(|| snapshot.clone()).bench_local_values(|snapshot| dashboard.snapshot(snapshot));
}

/// A frame, into memory.
#[divan::bench(args = GROUPS)]
fn draw(bencher: Bencher, groups: u32) {
    let mut dashboard = Tui::new(THEME, &about());
    dashboard.snapshot(watched(groups));
    let Ok(mut terminal) = Terminal::new(TestBackend::new(160, 48));
    bencher.bench_local(|| terminal.draw(|frame| dashboard.draw(frame)).is_ok());
}

/// What Prometheus reads, of so many label sets.
#[divan::bench(args = [1, 200])]
fn encode_metrics(bencher: Bencher, sets: u32) {
    let bounds = Bounds { labels: vec![Label::Destination], most_sets: 200, expiry: Duration::from_hours(1) };
    let mut series = Series::new(bounds);
    series.sample(0, &sample(sets));
    let (about, scrape) = (about(), series.scrape(Lost::default(), Vec::new()));
    bencher.bench_local(|| encode(&about, &scrape, Format::Text));
}
