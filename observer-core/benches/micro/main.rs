//! `cargo bench`: the cost of a row, a sample and a frame.

mod steady;

use std::time::Duration;

use divan::{Bencher, black_box, counter::ItemsCount};
use ratatui::{Terminal, backend::TestBackend};

use observer_core::{
    TimeBase,
    decode::decode,
    model::{Cause, GroupCounters, GroupSample, Sample, WatchInfo},
    series::{Label, Losses, Series, SeriesConfig},
    tracker::{Row, Snapshot, Tracker},
    views::{Format, JsonView, LinesView, Theme, Tui, View, encode},
};

const GROUPS: [u32; 3] = [10, 1_000, 10_000];
const MAX_CONNECTIONS: usize = 131_072;
const THEME: Theme = Theme { has_colours: true, has_unicode: true };

fn main() {
    divan::main();
}

/// A sample with this many groups, each with counts and a cause of closes.
fn sample(groups: u32) -> Sample {
    let group = |n: u32| {
        let count = u64::from(n);
        let mut counters = GroupCounters {
            opened: 3 + count,
            closed: count,
            new: 2 + count,
            reused: 7 * count,
            ..GroupCounters::default()
        };
        counters.comm[..6].copy_from_slice(b"client");
        counters.exchanges_per_connection[1] = 2 + count;
        counters.closes[Cause::ClientIdle as usize] = count;
        GroupSample {
            key: steady::key(n),
            counters,
            ended: false,
            process_ended: false,
            evicted: false,
            runtime: None,
            cgroup: None,
        }
    };
    Sample { groups: (0..groups).map(group).collect(), ..Sample::default() }
}

fn about() -> WatchInfo {
    WatchInfo {
        ports: vec!["8080".into()],
        hooks: vec!["sockops".into()],
        kernel: "6.18".into(),
        ..WatchInfo::default()
    }
}

/// Decodes records of the ring buffer. Items are rows.
#[divan::bench]
fn decode_rows(bencher: Bencher) {
    let (records, base) = (steady::records(1), TimeBase::new(0));
    bencher.counter(ItemsCount::new(records.len())).bench_local(|| {
        for record in &records {
            let _ = black_box(decode(black_box(record), base));
        }
    });
}

/// Decodes records and applies their events to the tracker. Items are rows.
#[divan::bench(args = [1, 100])]
fn ingest_rows(bencher: Bencher, groups: u32) {
    let (records, base) = (steady::records(groups), TimeBase::new(0));
    let mut tracker = Tracker::new(0, MAX_CONNECTIONS);
    bencher.counter(ItemsCount::new(records.len())).bench_local(|| {
        for record in &records {
            if let Ok(event) = decode(record, base) {
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
    let base = TimeBase::new(0);
    let mut tracker = Tracker::new(0, MAX_CONNECTIONS);
    let events = steady::records(1).into_iter().filter_map(|record| decode(&record, base).ok());
    events.map(|event| tracker.apply(event)).collect()
}

/// Encodes rows with a view. Items are rows.
fn encode_rows(bencher: Bencher, view: &impl View) {
    let rows = rows();
    let mut buffer = Vec::new();
    bencher.counter(ItemsCount::new(rows.len())).bench_local(|| {
        buffer.clear();
        for row in &rows {
            view.row(row, &mut buffer);
        }
        black_box(&buffer);
    });
}

#[divan::bench]
fn json_rows(bencher: Bencher) {
    encode_rows(bencher, &JsonView);
}

#[divan::bench]
fn lines_rows(bencher: Bencher) {
    encode_rows(bencher, &LinesView);
}

fn snapshot_of(groups: u32) -> Snapshot {
    let mut tracker = Tracker::new(0, MAX_CONNECTIONS);
    tracker.sample(sample(groups));
    tracker.snapshot(1_000_000_000)
}

/// Prepares a snapshot for the dashboard.
#[divan::bench(args = GROUPS)]
fn arrange(bencher: Bencher, groups: u32) {
    let snapshot = snapshot_of(groups);
    let mut dashboard = Tui::new(THEME, &about());
    bencher.with_inputs(|| snapshot.clone()).bench_local_values(|snapshot| dashboard.snapshot(snapshot));
}

/// Renders a frame into memory.
#[divan::bench(args = GROUPS)]
fn draw(bencher: Bencher, groups: u32) {
    let mut dashboard = Tui::new(THEME, &about());
    dashboard.snapshot(snapshot_of(groups));
    let Ok(mut terminal) = Terminal::new(TestBackend::new(160, 48));
    bencher.bench_local(|| terminal.draw(|frame| dashboard.draw(frame)).is_ok());
}

/// Encodes the metrics of this many label sets.
#[divan::bench(args = [1, 200])]
fn encode_metrics(bencher: Bencher, sets: u32) {
    let config =
        SeriesConfig { labels: vec![Label::Destination], max_label_sets: 200, expiry: Duration::from_hours(1) };
    let mut series = Series::new(config);
    series.sample(0, &sample(sets));
    let (about, scrape) = (about(), series.scrape(Losses::default(), Vec::new()));
    bencher.bench_local(|| encode(&about, &scrape, Format::Text));
}
