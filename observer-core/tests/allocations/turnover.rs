//! Connections, groups and processes come and go. What a watch holds for them is freed: however many there have been, it
//! holds no more than after the first ones.

use std::time::Duration;

use allocation_counter::measure;

use observer_core::{
    TimeBase,
    decode::decode,
    model::{
        Cause, Event, GroupCounters, GroupKey, GroupSample, Listing, LossSample, RowKind, Sample, SocketState,
        WatchInfo,
    },
    recording::Encoder,
    series::{Label, Losses, Series, SeriesConfig},
    tracker::Tracker,
    views::{Format, JsonView, Theme, Tui, View as _, diagnosis_notices, encode},
};

use crate::steady;

/// Connections that the kernel side tracks at once.
const MAX_CONNECTIONS: usize = 200;
/// Processes in each generation, with a destination each.
const PROCESSES: u32 = 20;
/// Generations take turns with this many names, because rows of ended processes are kept by name.
const NAMES: u32 = 5;
const SECOND_NS: i64 = 1_000_000_000;

/// All that holds something for connections and groups.
struct Watch {
    tracker: Tracker,
    series: Series,
    encoder: Encoder,
    dashboard: Tui,
    about: WatchInfo,
}

impl Watch {
    fn new() -> Self {
        let about = WatchInfo::default();
        let config = SeriesConfig {
            labels: vec![Label::Process, Label::Destination],
            max_label_sets: 20,
            expiry: Duration::from_secs(5),
        };
        Self {
            tracker: Tracker::new(0, MAX_CONNECTIONS),
            series: Series::new(config),
            encoder: Encoder::default(),
            dashboard: Tui::new(Theme { has_colours: false, has_unicode: false }, &about),
            about,
        }
    }

    fn event(&mut self, event: Event) {
        let row = self.tracker.apply(event);
        let mut line = Vec::new();
        JsonView.row(&row, &mut line);
        self.encoder.event(&row).expect("a row is encoded");
        self.dashboard.row(&row);
    }

    fn sample(&mut self, unix_ns: i64, sample: Sample) {
        self.series.sample(unix_ns, &sample);
        self.encoder.sample(unix_ns, &sample).expect("a sample is encoded");
        for notice in self.tracker.sample(sample) {
            self.dashboard.notice(unix_ns, &notice.message);
        }
        let snapshot = self.tracker.snapshot(unix_ns);
        let certain = self.tracker.new_certainties(&snapshot);
        for notice in diagnosis_notices(&certain) {
            self.dashboard.notice(unix_ns, &notice.message);
        }
        self.dashboard.snapshot(snapshot);
        encode(&self.about, &self.series.scrape(Losses::default(), Vec::new()), Format::Text);
    }

    /// Processes start, connect, and end. Some rows of closes are lost.
    fn generation(&mut self, n: u32) {
        let begin_ns = i64::from(n) * 10 * SECOND_NS;
        let groups: Vec<GroupKey> = (0..PROCESSES).map(|process| key(n, process)).collect();
        let mut lost_rows = 0;
        for (group, record) in groups.iter().cycle().zip(steady::records(1)) {
            let mut event = decode(&record, TimeBase::new(begin_ns)).expect("the record is well-formed");
            event.group = *group;
            // The kernel gives the address of a socket to later ones.
            event.key.connect_ns += u64::from(n) * 1_000_000;
            if event.kind == RowKind::Close && event.key.socket.is_multiple_of(10) {
                lost_rows += 1;
            } else {
                self.event(event);
            }
        }
        for (second, is_over) in [(1, false), (2, true)] {
            let groups = groups.iter().map(|key| group(*key, n % NAMES, is_over)).collect();
            let loss = LossSample { rows: u64::from(n + 1) * lost_rows, ..LossSample::default() };
            self.sample(begin_ns + second * SECOND_NS, Sample { groups, loss, listing: Some(listing()) });
        }
    }
}

fn key(generation: u32, process: u32) -> GroupKey {
    GroupKey { tgid: 1 + generation * PROCESSES + process, start_ticks: generation.into(), ..steady::key(process) }
}

fn group(key: GroupKey, name: u32, is_over: bool) -> GroupSample {
    let mut counters = GroupCounters { opened: 2, closed: 2, new: 2, reused: 5, ..GroupCounters::default() };
    counters.comm[..8].copy_from_slice(format!("client-{name}").as_bytes());
    counters.closes[Cause::ClosedAfterResponse as usize] = 2;
    GroupSample { key, counters, ended: is_over, process_ended: is_over, evicted: false, runtime: None, cgroup: None }
}

fn listing() -> Listing {
    let state = SocketState { local: None, remote: [127, 0, 0, 1].into(), port: 8080, state: 6, sockets: 3 };
    Listing { states: vec![state], local_ports: 28_000 }
}

#[test]
fn what_is_held_for_connections_groups_and_processes_is_freed() {
    const WARM_UP: u32 = 80;
    const GENERATIONS: u32 = 160;
    /// A table may double at any time, because its capacity depends on its random seed. The smallest thing that could be
    /// left behind for each process is its key, which takes twice as much.
    const MOST_BYTES_A_PROCESS: i64 = 16;
    let mut watch = Watch::new();
    // Warm up until every bounded list is full, and every map has its final capacity.
    for n in 0..WARM_UP {
        watch.generation(n);
    }
    let allocations = measure(|| {
        for n in WARM_UP..WARM_UP + GENERATIONS {
            watch.generation(n);
        }
    });
    println!("{allocations:?} for {} processes", GENERATIONS * PROCESSES);
    let most_bytes = MOST_BYTES_A_PROCESS * i64::from(GENERATIONS * PROCESSES);
    assert!(allocations.count_current <= 0 && allocations.bytes_current < most_bytes, "{allocations:?}");
}
