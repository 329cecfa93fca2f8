//! Feeds handwritten samples to [`Series`] and compares its scrapes.

use std::net::Ipv4Addr;

use super::*;
use crate::model::{Cause, Failure, GroupCounters, GroupSample, Listing, Why};

const SECOND_NS: i64 = 1_000_000_000;

fn series(labels: &[Label], max_label_sets: usize) -> Series {
    Series::new(SeriesConfig { labels: labels.into(), max_label_sets, expiry: Duration::from_mins(1) })
}

fn by_process(max_label_sets: usize) -> Series {
    series(&[Label::Process], max_label_sets)
}

/// A group of the process `p<tgid>`, with this many exchanges, each on a new connection.
fn group(tgid: u32, exchanges: u64, open: u64) -> GroupSample {
    named(&format!("p{tgid}"), tgid, exchanges, open)
}

fn named(name: &str, tgid: u32, exchanges: u64, open: u64) -> GroupSample {
    let addr = Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets();
    let key = GroupKey { start_ticks: 7, addr, tgid, port: 80, kind: 0 };
    let mut counters =
        GroupCounters { new: exchanges, opened: exchanges, closed: exchanges - open, ..GroupCounters::default() };
    counters.comm[..name.len()].copy_from_slice(name.as_bytes());
    counters.why[Why::First as usize] = exchanges;
    counters.closes[Cause::ClosedAfterResponse as usize] = counters.closed;
    (counters.tracked, counters.live) = (open, open);
    GroupSample { key, counters, ended: false, process_ended: false, evicted: false, runtime: None, cgroup: None }
}

fn ended(mut group: GroupSample) -> GroupSample {
    (group.ended, group.process_ended) = (true, true);
    group
}

fn feed(series: &mut Series, second: i64, groups: Vec<GroupSample>) -> Scrape {
    series.sample(second * SECOND_NS, &Sample { groups, ..Sample::default() });
    series.scrape(Losses::default(), Vec::new())
}

/// Process name, new exchanges and open connections of each label set. The overflow set has the name "+".
fn shown(scrape: &Scrape) -> Vec<(&str, u64, u64)> {
    let shown = scrape.sets.iter().map(|(set, Values { counters, open })| {
        let name = set.as_ref().map_or("+", |set| set.process.as_deref().unwrap_or("-"));
        (name, counters.new, *open)
    });
    shown.collect()
}

#[test]
fn counts_outlive_their_groups() {
    let mut series = by_process(9);
    assert_eq!(shown(&feed(&mut series, 1, vec![group(1, 5, 1)])), [("p1", 5, 1)]);
    assert_eq!(shown(&feed(&mut series, 2, vec![ended(group(1, 7, 0))])), [("p1", 7, 0)]);
    assert_eq!(shown(&feed(&mut series, 3, vec![])), [("p1", 7, 0)]);
    // Another process with the same name.
    let scrape = feed(&mut series, 4, vec![named("p1", 2, 2, 2)]);
    assert_eq!(shown(&scrape), [("p1", 9, 2)]);
    assert_eq!((scrape.host.new, scrape.host.opened), (9, 9));
    assert_eq!(series.groups.len(), 1, "ended groups are forgotten");
}

#[test]
fn label_sets_beyond_the_maximum_share_the_overflow_set() {
    let mut series = by_process(2);
    let scrape = feed(&mut series, 1, (1..=5).map(|n| group(n, 10, 1)).collect());
    assert_eq!(shown(&scrape), [("p1", 10, 1), ("p2", 10, 1), ("+", 30, 3)]);
    assert_eq!((scrape.overflowed, scrape.host.new), (3, 50));
    let scrape = feed(&mut series, 2, (1..=5).map(|n| group(n, 11, 0)).collect());
    assert_eq!(shown(&scrape), [("p1", 11, 0), ("p2", 11, 0), ("+", 33, 0)]);
    assert_eq!((scrape.overflowed, scrape.host.new), (3, 55));
}

#[test]
fn user_has_a_share_of_the_label_sets() {
    let mut series = by_process(4);
    let of = |uid: u64, mut group: GroupSample| {
        group.counters.user = uid + 1;
        group
    };
    let scrape = feed(&mut series, 1, (1..=9).map(|n| of(1000, group(n, 10, 0))).collect());
    assert_eq!(shown(&scrape), [("p1", 10, 0), ("p2", 10, 0), ("p3", 10, 0), ("+", 60, 0)]);
    let scrape = feed(&mut series, 2, vec![of(1001, group(10, 5, 0)), of(1001, group(11, 5, 0))]);
    assert_eq!(shown(&scrape), [("p1", 10, 0), ("p10", 5, 0), ("p2", 10, 0), ("p3", 10, 0), ("+", 65, 0)]);
    // Expired sets leave the share.
    let scrape = feed(&mut series, 61, vec![]);
    assert_eq!(shown(&scrape), [("p10", 5, 0), ("+", 65, 0)]);
    let scrape = feed(&mut series, 61, vec![of(1000, group(12, 1, 0))]);
    assert_eq!(shown(&scrape), [("p10", 5, 0), ("p12", 1, 0), ("+", 65, 0)]);
}

#[test]
fn overflowed_set_is_reported_until_it_expires_or_is_admitted() {
    let mut series = by_process(1);
    assert_eq!(feed(&mut series, 0, vec![group(1, 1, 0), group(2, 1, 0)]).overflowed, 1);
    assert_eq!(feed(&mut series, 30, vec![group(3, 1, 0)]).overflowed, 2);
    assert_eq!(feed(&mut series, 59, vec![]).overflowed, 2);
    let scrape = feed(&mut series, 60, vec![]);
    assert_eq!(
        (scrape.overflowed, shown(&scrape)),
        (1, vec![("+", 2, 0)]),
        "p1, which was admitted, and p2 have expired"
    );
    let scrape = feed(&mut series, 61, vec![group(3, 3, 0)]);
    assert_eq!((scrape.overflowed, shown(&scrape)), (0, vec![("p3", 2, 0), ("+", 2, 0)]));
}

#[test]
fn number_of_overflowed_sets_is_bounded() {
    let mut series = by_process(1);
    let all = 1 + MAX_OVERFLOWED as u32;
    let scrape = feed(&mut series, 0, (0..=all).map(|n| group(n, 1, 1)).collect());
    assert_eq!((scrape.overflowed, scrape.host.new), (u64::from(all) - 1, u64::from(all) + 1));
    assert_eq!(scrape.sets[1].1.counters.new, u64::from(all));
}

#[test]
fn overflow_group_of_the_kernel_is_counted_in_the_overflow_set() {
    let mut series = by_process(2);
    let overflow = GroupSample { key: tcp_reuse_watch_ebpf::OVERFLOW, ..group(0, 4, 0) };
    assert_eq!(shown(&feed(&mut series, 1, vec![overflow, group(1, 1, 0)])), [("p1", 1, 0), ("+", 4, 0)]);
}

#[test]
fn expired_set_is_removed_and_restarts_at_zero() {
    let mut series = by_process(1);
    feed(&mut series, 0, vec![group(1, 5, 0)]);
    assert_eq!(shown(&feed(&mut series, 59, vec![group(1, 5, 0)])), [("p1", 5, 0)]);
    assert_eq!(shown(&feed(&mut series, 60, vec![group(1, 5, 0)])), []);
    let scrape = feed(&mut series, 61, vec![group(1, 5, 0), group(2, 1, 0)]);
    assert_eq!(shown(&scrape), [("p2", 1, 0)], "the expired set made room");
    assert_eq!(scrape.host.new, 6);
    feed(&mut series, 121, vec![group(1, 5, 0), group(2, 1, 0)]);
    // The kernel still has its group: only the increase counts.
    let scrape = feed(&mut series, 122, vec![group(1, 7, 0), group(2, 1, 0)]);
    assert_eq!(shown(&scrape), [("p1", 2, 0)]);
    assert_eq!(scrape.host.new, 8);
}

/// If it were removed, no scrape would miss it, and the next one would show its counters decreased.
#[test]
fn set_that_counts_again_as_it_expires_is_kept() {
    let mut series = by_process(1);
    feed(&mut series, 0, vec![group(1, 5, 0)]);
    assert_eq!(shown(&feed(&mut series, 60, vec![group(1, 6, 0)])), [("p1", 6, 0)]);
    assert_eq!(shown(&feed(&mut series, 121, vec![ended(group(1, 7, 0))])), [("p1", 7, 0)]);
}

#[test]
fn set_with_an_open_connection_and_overflow_set_do_not_expire() {
    let mut series = by_process(1);
    feed(&mut series, 0, vec![group(1, 5, 1), group(2, 3, 1)]);
    assert_eq!(shown(&feed(&mut series, 500, vec![group(1, 5, 1)])), [("p1", 5, 1), ("+", 3, 0)]);
    assert_eq!(shown(&feed(&mut series, 1000, vec![group(1, 5, 0)])), [("p1", 5, 0), ("+", 3, 0)]);
    assert_eq!(shown(&feed(&mut series, 1060, vec![])), [("+", 3, 0)]);
}

#[test]
fn group_without_counts_gets_no_label_set() {
    let mut series = by_process(1);
    assert!(feed(&mut series, 0, vec![group(1, 0, 0)]).sets.is_empty());
}

/// Data read after the close may change a connection's cause, as long as its socket is held.
#[test]
fn cause_is_counted_once_it_is_settled() {
    let closes = |scrape: &Scrape| {
        let closes = scrape.sets[0].1.counters.closes;
        (closes[Cause::Unused as usize], closes[Cause::ClosedAfterResponse as usize])
    };
    let mut series = by_process(1);
    let mut held = group(1, 3, 0);
    (held.counters.tracked, held.counters.closes) = (1, GroupCounters::default().closes);
    held.counters.closes[Cause::Unused as usize] = 1;
    held.counters.closes[Cause::ClosedAfterResponse as usize] = 2;
    assert_eq!(closes(&feed(&mut series, 0, vec![held.clone()])), (0, 1));
    held.counters.closes[Cause::Unused as usize] = 0;
    held.counters.closes[Cause::ClosedAfterResponse as usize] = 3;
    assert_eq!(closes(&feed(&mut series, 1, vec![held.clone()])), (0, 2));
    held.counters.tracked = 0;
    assert_eq!(closes(&feed(&mut series, 2, vec![held])), (0, 3));
}

#[test]
fn series_never_decrease_even_if_a_group_counter_does() {
    let mut series = by_process(1);
    feed(&mut series, 0, vec![group(1, 5, 0)]);
    assert_eq!(shown(&feed(&mut series, 1, vec![group(1, 3, 0)])), [("p1", 5, 0)]);
    assert_eq!(shown(&feed(&mut series, 2, vec![group(1, 6, 0)])), [("p1", 6, 0)]);
}

#[test]
fn only_enabled_labels_distinguish_sets() {
    let groups = || vec![named("a", 1, 1, 0), named("b", 2, 1, 0)];
    let sets = |labels: &[Label]| feed(&mut series(labels, 9), 0, groups()).sets;
    let all = sets(&[Label::Process, Label::Destination, Label::Port]);
    let a = LabelSet {
        process: Some("a".into()),
        destination: Some(Ipv4Addr::LOCALHOST.into()),
        port: Some(80),
        cgroup: None,
    };
    assert_eq!((all.len(), all[0].0.as_ref()), (2, Some(&a)));
    let by_port = sets(&[Label::Port]);
    assert_eq!(by_port.len(), 1);
    assert_eq!(by_port[0].0, Some(LabelSet { port: Some(80), ..LabelSet::default() }));
    assert_eq!(by_port[0].1.counters.new, 2);
    let mut contained = named("a", 1, 1, 0);
    contained.cgroup = Some("nginx.service".into());
    let scrape = feed(&mut series(&[Label::Cgroup], 9), 0, vec![contained, named("b", 2, 1, 0)]);
    let cgroups: Vec<_> = scrape.sets.iter().map(|(set, _)| set.as_ref().unwrap().cgroup.as_deref()).collect();
    assert_eq!(cgroups, [Some(""), Some("nginx.service")]);
}

#[test]
fn names_with_the_same_escaped_form_share_a_set() {
    let scrape = feed(&mut by_process(9), 0, vec![named("a\n", 1, 1, 0), named("a\\n", 2, 1, 0)]);
    assert_eq!(shown(&scrape), [("a\\n", 2, 0)]);
}

#[test]
fn time_wait_sockets_are_grouped_by_destination_up_to_the_maximum() {
    let state =
        |port, state, sockets| SocketState { local: None, remote: Ipv4Addr::LOCALHOST.into(), port, state, sockets };
    let time_wait = |labels: &[Label]| {
        let mut series = series(labels, 2);
        let states = vec![state(1, 6, 1), state(2, 6, 5), state(3, 6, 2), state(4, 6, 3), state(5, 1, 99)];
        let listing = Some(Listing { states, local_ports: 9 });
        series.sample(0, &Sample { listing, ..Sample::default() });
        // No new listing: the last one stays.
        series.sample(SECOND_NS, &Sample::default());
        series.scrape(Losses::default(), Vec::new()).time_wait.unwrap()
    };
    let ports: Vec<_> = time_wait(&[Label::Process, Label::Port])
        .into_iter()
        .map(|(set, sockets)| (set.and_then(|set| set.port), sockets))
        .collect();
    assert_eq!(ports, [(Some(2), 5), (Some(4), 3), (None, 3)]);
    assert_eq!(time_wait(&[Label::Process]), [(Some(LabelSet::default()), 11)]);
}

#[test]
fn taken_ports_are_those_of_the_busiest_source_address() {
    let state = |source, port, state, sockets| SocketState {
        local: Some(Ipv4Addr::new(10, 0, 0, source).into()),
        remote: Ipv4Addr::LOCALHOST.into(),
        port,
        state,
        sockets,
    };
    let taken = |labels: &[Label], max_label_sets| {
        let mut series = series(labels, max_label_sets);
        // To port 1, the second address has more in all states together.
        let states =
            vec![state(1, 1, 1, 5), state(2, 1, 1, 3), state(2, 1, 6, 4), state(1, 2, 6, 6), state(1, 3, 6, 2)];
        series.sample(0, &Sample { listing: Some(Listing { states, local_ports: 9 }), ..Sample::default() });
        let LocalPorts { available, taken } = series.scrape(Losses::default(), Vec::new()).local_ports.unwrap();
        assert_eq!(available, 9);
        taken.into_iter().map(|(set, n)| (set.map(|set| set.port), n)).collect::<Vec<_>>()
    };
    assert_eq!(taken(&[Label::Port], 3), [(Some(Some(1)), 7), (Some(Some(2)), 6), (Some(Some(3)), 2)]);
    assert_eq!(taken(&[Label::Port], 1), [(Some(Some(1)), 7), (None, 6)]);
    assert_eq!(taken(&[Label::Destination], 3), [(Some(None), 7)]);
}

#[test]
fn failures_and_histograms_are_counted() {
    let mut series = by_process(1);
    let mut failing = group(1, 1, 0);
    failing.counters.failures[Failure::Refused as usize] = 2;
    failing.counters.closed_exchanges = [1, 0, 0, 0, 2];
    failing.counters.closed_exchanges_sum = 3001;
    failing.counters.lifetimes[8] = 3;
    failing.counters.lifetime_us_sum = 9;
    feed(&mut series, 0, vec![failing.clone()]);
    failing.counters.failures[Failure::Refused as usize] = 3;
    let counters = feed(&mut series, 1, vec![ended(failing)]).sets[0].1.counters;
    assert_eq!((counters.failures[Failure::Refused as usize], counters.closed_exchanges_sum), (3, 3001));
    assert_eq!((counters.closed_exchanges, counters.lifetimes[8], counters.lifetime_us_sum), ([1, 0, 0, 0, 2], 3, 9));
}
