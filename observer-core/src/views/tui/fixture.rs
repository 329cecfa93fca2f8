//! Watches for the tests of the dashboard. A tracker makes them from samples and rows, as in a real watch.

use std::net::{IpAddr, SocketAddr};

use tcp_reuse_watch_ebpf::pool;

use crate::{
    model::{
        Cause, CloseKind, Closer, Connection, ConnectionKey, Event, Failure, GroupCounters, GroupKey, GroupSample,
        Listing, LossSample, RowKind, Sample, SocketState, WatchInfo, Why,
    },
    tracker::{Family, Row, Tracker, families as fold},
};

/// 2026-01-02 03:04:05 UTC.
pub(super) const START_NS: i64 = 1_767_323_045_000_000_000;

pub(super) fn about() -> WatchInfo {
    WatchInfo {
        hooks: vec!["sockops".into(), "tracepoint".into()],
        kernel: "6.18.0".into(),
        ports: vec!["8080".into()],
        started_unix_ns: START_NS,
        ..WatchInfo::default()
    }
}

pub(super) fn key(pid: u32, remote: &str) -> GroupKey {
    let remote: SocketAddr = remote.parse().unwrap();
    let addr = match remote.ip() {
        IpAddr::V4(addr) => addr.to_ipv6_mapped().octets(),
        IpAddr::V6(addr) => addr.octets(),
    };
    GroupKey { start_ticks: 7, addr, tgid: pid, port: remote.port(), kind: 0 }
}

pub(super) fn group(key: GroupKey, process: &str, counters: &GroupCounters) -> GroupSample {
    let mut counters = *counters;
    let name = process.as_bytes();
    counters.comm[..name.len()].copy_from_slice(name);
    if counters.pool == 0 {
        // Every new exchange was a first one, and a fifth of them ran at once.
        (counters.pool, counters.asked) = (pool::COUNTED, counters.new);
        counters.most_serving[0] = counters.new.div_ceil(5).try_into().unwrap();
    }
    GroupSample { key, counters, ended: false, process_ended: false, evicted: false, runtime: None, cgroup: None }
}

/// A tracker, and the rows for the dashboard.
pub(super) struct Watch {
    pub(super) tracker: Tracker,
    pub(super) rows: Vec<Row>,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self { tracker: Tracker::new(START_NS, 1000), rows: Vec::new() }
    }

    pub(super) fn event(&mut self, at_ms: i64, kind: RowKind, group: GroupKey, socket: u64, connection: Connection) {
        let key = ConnectionKey { socket, connect_ns: socket };
        let unix_ns = START_NS + at_ms * 1_000_000;
        let row = self.tracker.apply(Event { kind, unix_ns, key, group, connection });
        self.rows.push(row);
    }

    pub(super) fn sample(&mut self, groups: Vec<GroupSample>, time_wait: u64) {
        let state = |group: &GroupSample| SocketState {
            local: None,
            remote: crate::model::ip_address(group.key.addr),
            port: group.key.port,
            state: crate::model::TIME_WAIT,
            sockets: time_wait,
        };
        let states = groups.first().map(state).into_iter().collect();
        let listing = Some(Listing { states, local_ports: 28_232 });
        self.tracker.sample(Sample { groups, listing, ..Sample::default() });
    }

    pub(super) fn lose(&mut self, groups: Vec<GroupSample>) {
        let loss = LossSample { rows: 1234, untracked: 5, ..LossSample::default() };
        self.tracker.sample(Sample { groups, loss, ..Sample::default() });
    }
}

fn connection(process: &str, pid: u32, local_port: u16, remote: &str) -> Connection {
    Connection {
        pid: Some(pid),
        process: Some(process.into()),
        local: Some(SocketAddr::new("127.0.0.1".parse().unwrap(), local_port)),
        remote: remote.parse().unwrap(),
        why: Some(Why::Replaced),
        ..Connection::unknown()
    }
}

/// Ten requests of a program that reads no response body.
pub(super) fn undrained() -> Watch {
    let (mut watch, remote) = (Watch::new(), "127.0.0.1:8080");
    let key = key(443, remote);
    for n in 0..10u16 {
        let opened = connection("client", 443, 51_300 + n, remote);
        watch.event(100 * i64::from(n), RowKind::Open, key, n.into(), opened.clone());
        let closed = Connection {
            exchanges: 1,
            unread_bytes: Some(105_472),
            lifetime_us: Some(1_200),
            idle_us: Some(100),
            closed_by: Closer::Local,
            how: CloseKind::Reset,
            cause: Some(Cause::UnreadResponse),
            ..opened
        };
        watch.event(100 * i64::from(n) + 2, RowKind::Close, key, n.into(), closed);
    }
    let mut counters =
        GroupCounters { opened: 10, closed: 10, new: 10, asked: 10, pool: pool::COUNTED, ..GroupCounters::default() };
    counters.most_serving[0] = 1;
    counters.exchanges_per_connection[0] = 10;
    counters.closes[Cause::UnreadResponse as usize] = 10;
    counters.why[Why::First as usize] = 1;
    counters.why[Why::Replaced as usize] = 9;
    counters.lifetimes[1] = 10;
    watch.sample(vec![group(key, "client", &counters)], 10);
    watch
}

/// The same program, with every body read to its end.
pub(super) fn drained() -> Watch {
    let (mut watch, remote) = (Watch::new(), "127.0.0.1:8080");
    let key = key(467, remote);
    let opened = Connection { why: Some(Why::First), ..connection("client", 467, 51_388, remote) };
    watch.event(10, RowKind::Open, key, 1, opened);
    let mut counters =
        GroupCounters { opened: 1, new: 1, reused: 9, live: 1, idle: 1, tracked: 1, ..GroupCounters::default() };
    counters.exchanges_per_connection[2] = 1;
    counters.why[Why::First as usize] = 1;
    let mut group = group(key, "client", &counters);
    group.cgroup = Some("shop.service".into());
    watch.sample(vec![group], 0);
    watch
}

/// 500 groups of 50 names, some with IPv6 or failed connects.
pub(super) fn many() -> Watch {
    let mut watch = Watch::new();
    let groups = (0..500u32).map(|n| {
        let remote =
            if n % 3 == 0 { format!("[2001:db8::{n:x}]:443") } else { format!("10.0.{}.{}:8080", n % 250, n / 250) };
        let n64 = u64::from(n);
        let mut counters =
            GroupCounters { opened: 3 + n64, closed: n64, new: 2 + n64, reused: 7 * n64, ..GroupCounters::default() };
        counters.exchanges_per_connection[1] = 2 + n64;
        counters.why[Why::Concurrency as usize] = 3 + n64;
        counters.closes[Cause::ClientIdle as usize] = n64;
        counters.failures[Failure::Refused as usize] = u64::from(n % 7 == 0);
        group(key(1000 + n, &remote), &format!("worker-{:02}", n % 50), &counters)
    });
    let groups = groups.collect();
    watch.sample(groups, 77);
    watch
}

/// Process names and addresses of the greatest length, and a name with control characters.
pub(super) fn long_names() -> Watch {
    let mut watch = Watch::new();
    let remote = "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535";
    let counters =
        GroupCounters { opened: 123_456, closed: 123_455, new: 123_456, reused: 9_876_543, ..GroupCounters::default() };
    let hostile = "\u{1b}[2J\u{7}äöü\n";
    let mut groups =
        vec![group(key(4_194_303, remote), "a-fifteen-bytes", &counters), group(key(7, remote), hostile, &counters)];
    groups[0].counters.inexact = 5;
    watch.event(1, RowKind::Open, key(7, remote), 1, connection(hostile, 7, 1, remote));
    watch.sample(groups, 0);
    watch
}

pub(super) fn loss() -> Watch {
    let mut watch = undrained();
    let groups = vec![group(
        key(443, "127.0.0.1:8080"),
        "client",
        &GroupCounters { opened: 10, closed: 10, new: 10, ..GroupCounters::default() },
    )];
    watch.lose(groups);
    watch
}

/// One family with this many opened connections.
pub(super) fn families(opened: u64) -> Vec<Family> {
    let mut watch = Watch::new();
    let counters = GroupCounters { opened: opened.max(1), ..GroupCounters::default() };
    watch.sample(vec![group(key(1, "127.0.0.1:80"), "curl", &counters)], 0);
    fold(watch.tracker.snapshot(START_NS).groups)
}
