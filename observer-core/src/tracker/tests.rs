//! The tracker with samples and events written by hand.

use std::net::Ipv4Addr;

use super::*;
use crate::group::GroupApplication;
use crate::{
    TimeBase, decode,
    model::{Application, Cause, Connection, GroupCounters, GroupKey, Listing},
};

fn key(tgid: u32, port: u16) -> GroupKey {
    let addr = Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets();
    GroupKey { start_ticks: 7, addr, tgid, port, kind: 0 }
}

fn group(key: GroupKey, opened: u64, new: u64, reused: u64) -> GroupSample {
    let mut counters = GroupCounters { opened, closed: opened, new, reused, ..GroupCounters::default() };
    counters.comm[..4].copy_from_slice(b"curl");
    GroupSample { key, counters, ended: false, process_ended: false, evicted: false, runtime: None, cgroup: None }
}

fn ended(mut group: GroupSample) -> GroupSample {
    (group.ended, group.process_ended) = (true, true);
    group
}

fn snapshot_of(samples: impl IntoIterator<Item = Vec<GroupSample>>) -> Snapshot {
    let mut tracker = Tracker::new(0, 10);
    for groups in samples {
        tracker.sample(Sample { groups, ..Sample::default() });
    }
    tracker.snapshot(1_500_000)
}

#[test]
fn sample_replaces_the_last_one() {
    let snapshot = snapshot_of([vec![group(key(1, 80), 1, 1, 0)], vec![group(key(1, 80), 2, 2, 8)]]);
    assert_eq!((snapshot.totals.new, snapshot.totals.reused, snapshot.duration_us), (2, 8, 1500));
    assert_eq!(snapshot.totals.reuse_ratio(), Some(0.8));
    assert_eq!(snapshot.groups[0].pid, Some(1));
}

#[test]
fn ended_processes_of_one_name_are_one_row() {
    let snapshot = snapshot_of([
        vec![ended(group(key(1, 80), 1, 1, 0)), ended(group(key(2, 80), 1, 1, 0)), ended(group(key(2, 81), 1, 1, 0))],
        vec![ended(group(key(3, 80), 1, 1, 0)), group(key(4, 80), 1, 1, 0)],
    ]);
    let rows: Vec<_> = snapshot.groups.iter().map(|row| (row.counts.opened, row.processes, row.pid)).collect();
    assert_eq!(rows, [(3, Some(3), None), (1, Some(1), Some(4)), (1, Some(1), Some(2))]);
    assert_eq!(snapshot.totals.opened, 5);
}

#[test]
fn rows_are_bounded_and_still_add_up() {
    let many: Vec<_> = (1..=25_000u32)
        .map(|tgid| {
            let mut sample = group(key(tgid, 80), 1, 1, 2);
            sample.counters.comm[4..12].copy_from_slice(format!("{tgid:08}").as_bytes());
            if tgid.is_multiple_of(2) { ended(sample) } else { sample }
        })
        .collect();
    let snapshot = snapshot_of([many]);
    assert_eq!(snapshot.groups.len(), 10_001);
    let overflow = &snapshot.groups[10_000];
    assert_eq!((overflow.name.as_ref(), overflow.processes, overflow.pid), (None, None, None));
    assert_eq!((snapshot.totals.opened, snapshot.totals.exchanges()), (25_000, 75_000));
}

#[test]
fn overflow_group_is_a_row_without_a_name() {
    let snapshot = snapshot_of([vec![group(tcp_reuse_watch_ebpf::OVERFLOW, 3, 3, 0), group(key(1, 80), 1, 1, 0)]]);
    assert_eq!(snapshot.groups.len(), 2);
    assert_eq!((snapshot.groups[1].name.as_ref(), snapshot.groups[1].counts.opened), (None, 3));
}

#[test]
fn lost_rows_are_incomplete_but_exact_and_lost_connections_are_neither() {
    let none = LossSample::default();
    for (loss, is_complete, is_exact) in [
        (LossSample { rows: 1, ..none }, false, true),
        (LossSample { unrecovered_skips: 1, ..none }, false, true),
        (LossSample { untracked: 1, ..none }, false, false),
        (LossSample { mptcp: 1, ..none }, false, false),
        (LossSample { counts: 1, ..none }, false, false),
        (LossSample { unlisted: 1, ..none }, false, false),
        (LossSample { ownerless: 1, ..none }, false, false),
        (LossSample { unfollowed: 1, ..none }, false, false),
        // These cost no count.
        (LossSample { hook_skips: 1, ungrouped: 1, not_removed: 1, ..none }, true, true),
    ] {
        let mut tracker = Tracker::new(0, 10);
        tracker.sample(Sample { loss, ..Sample::default() });
        let snapshot = tracker.snapshot(0);
        assert_eq!((snapshot.is_complete(), snapshot.is_exact()), (is_complete, is_exact), "{loss:?}");
    }
}

fn speaking(mut group: GroupSample, application: Application, marked: u64) -> GroupSample {
    (group.counters.application, group.counters.marked) = (application as u64, marked);
    group
}

#[test]
fn marked_connection_makes_the_watch_inexact_even_without_an_exchange() {
    let snapshot = snapshot_of([vec![speaking(group(key(1, 80), 1, 0, 0), Application::Mqtt, 1)]]);
    assert_eq!((snapshot.totals.exchanges(), snapshot.totals.inexact, snapshot.totals.marked), (0, 0, 1));
    assert!(!snapshot.totals.is_exact() && !snapshot.is_exact());
    assert_eq!(snapshot.totals.since(&snapshot.totals).marked, 0);
}

#[test]
fn merged_groups_add_their_marks_and_keep_the_recognised_application() {
    let ended_ones = |applications: [Application; 3]| {
        let groups = applications
            .into_iter()
            .zip(1..)
            .map(|(application, tgid)| ended(speaking(group(key(tgid, 80), 1, 1, 0), application, tgid.into())));
        snapshot_of([groups.collect()]).groups.remove(0)
    };
    let folded = ended_ones([Application::Unknown, Application::Redis, Application::Redis]);
    assert_eq!((folded.spoken.name(), folded.counts.marked), (Some("redis"), 6));
    assert_eq!(
        ended_ones([Application::Redis, Application::Mysql, Application::Redis]).spoken,
        GroupApplication::Several
    );
    let live = vec![
        speaking(group(key(1, 80), 1, 1, 0), Application::Http1, 1),
        speaking(group(key(2, 80), 1, 1, 0), Application::Unknown, 2),
    ];
    let [family] = families(snapshot_of([live]).groups).try_into().unwrap();
    assert_eq!((family.whole.spoken.name(), family.whole.counts.marked), (Some("http1"), 3));
}

/// Ten connections, each closed with 1,000 unread bytes.
#[test]
fn possible_diagnoses_are_not_reported() {
    for (exact, expected) in [(true, 1), (false, 0)] {
        let mut tracker = Tracker::new(0, 100);
        for socket in 0..10 {
            let key = ConnectionKey { socket, connect_ns: 1 };
            let connection = Connection {
                cause: Some(Cause::UnreadResponse),
                exchanges: 1,
                unread_bytes: Some(1_000),
                exact,
                ..Connection::unknown()
            };
            let group = self::key(1, 80);
            tracker.apply(Event { kind: RowKind::Close, unix_ns: 1, key, group, connection });
        }
        let mut sample = group(key(1, 80), 10, 10, 0);
        sample.counters.closes[Cause::UnreadResponse as usize] = 10;
        sample.counters.marked = if exact { 0 } else { 10 };
        tracker.sample(Sample { groups: vec![sample], ..Sample::default() });
        let snapshot = tracker.snapshot(2);
        assert_eq!(snapshot.groups[0].diagnoses().len(), 1);
        assert_eq!(tracker.new_certainties(&snapshot).len(), expected, "exact: {exact}");
    }
}

#[test]
fn pre_existing_connections_are_open_and_states_stay_until_the_next_listing() {
    let mut tracker = Tracker::new(0, 10);
    let mut sample = group(key(1, 80), 2, 2, 8);
    (sample.counters.pre_existing, sample.counters.closed) = (3, 1);
    let waiting = SocketState { local: None, remote: Ipv4Addr::LOCALHOST.into(), port: 80, state: 6, sockets: 7 };
    let established = SocketState { state: 1, ..waiting };
    let listing = Some(Listing { states: vec![waiting, established], local_ports: 100 });
    tracker.sample(Sample { groups: vec![sample], listing, ..Sample::default() });
    assert_eq!(tracker.snapshot(0).totals.open(), 4);
    tracker.sample(Sample::default());
    assert_eq!(tracker.snapshot(0).time_wait(), Some(7));
}

fn event(kind: RowKind, socket: u64, connect_ns: u64) -> Event {
    let record = tcp_reuse_watch_ebpf::Connection { socket, connect_ns, ..tcp_reuse_watch_ebpf::Connection::EMPTY };
    decode::event(kind, &record, TimeBase::new(0))
}

#[test]
fn connections_are_numbered_by_identity_not_by_socket_address() {
    let mut tracker = Tracker::new(0, 10);
    assert_eq!(tracker.apply(event(RowKind::Open, 0xa, 1)).id, 1);
    assert_eq!(tracker.apply(event(RowKind::Open, 0xb, 1)).id, 2);
    assert_eq!(tracker.apply(event(RowKind::Exchange, 0xa, 1)).id, 1);
    assert_eq!(tracker.apply(event(RowKind::Close, 0xa, 1)).id, 1);
    assert_eq!(tracker.apply(event(RowKind::Open, 0xa, 2)).id, 3);
    assert_eq!(tracker.apply(event(RowKind::Close, 0xc, 9)).id, 4, "its open row was lost");
}

#[test]
fn connections_with_a_lost_close_row_are_removed() {
    let mut tracker = Tracker::new(0, 10);
    for socket in 1..=1000 {
        tracker.apply(event(RowKind::Open, socket, 1));
    }
    assert!(tracker.open.len() <= 20);
    assert_eq!(tracker.apply(event(RowKind::Close, 1000, 1)).id, 1000);
}

/// Counters may be read before rows that the kernel has already sent.
#[test]
fn row_after_the_last_counters_of_its_group_enters_the_history() {
    let mut tracker = Tracker::new(0, 10);
    let close = |socket| {
        let mut event = event(RowKind::Close, socket, 1);
        event.group = key(1, 80);
        event.connection.cause = Some(Cause::ClosedAfterResponse);
        event
    };
    let remembered = |tracker: &Tracker| tracker.snapshot(0).groups[0].history.last_closed().count();
    tracker.apply(close(1));
    tracker.sample(Sample { groups: vec![ended(group(key(1, 80), 2, 2, 0))], ..Sample::default() });
    assert_eq!(remembered(&tracker), 1);
    tracker.apply(close(2));
    assert_eq!(remembered(&tracker), 2);
    tracker.sample(Sample::default());
    tracker.apply(close(3));
    assert_eq!(remembered(&tracker), 2, "a sample later, it may be of another group");
}

#[test]
fn family_adds_up_the_processes_of_one_name() {
    let groups = vec![
        group(key(1, 80), 1, 1, 4),
        group(key(2, 80), 2, 2, 0),
        group(key(2, 81), 1, 1, 0),
        ended(group(key(3, 80), 1, 1, 0)),
    ];
    let families = families(snapshot_of([groups]).groups);
    let parts = |family: &Family| family.parts().iter().map(|row| (row.pid, row.counts.opened)).collect::<Vec<_>>();
    let [eighty, other] = families.as_slice() else { panic!("two destinations: {families:#?}") };
    assert_eq!((eighty.whole.counts.opened, eighty.whole.processes, eighty.whole.pid), (4, Some(3), None));
    assert_eq!(parts(eighty), [(Some(1), 1), (Some(2), 2), (Some(3), 1)]);
    assert_eq!((parts(other), other.whole.pid), (vec![(Some(2), 1)], Some(2)));
}
