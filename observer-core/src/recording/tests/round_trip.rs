//! Everything that is written is read back, except for what recordings leave out on purpose.

use super::*;
use crate::model::{Listing, Lookups, LossSample, SocketState};

#[test]
fn events_and_samples_round_trip() {
    let lookups = Some(Lookups { hung: 11, refused: 12 });
    let loss = LossSample {
        rows: 1,
        untracked: 2,
        mptcp: 3,
        counts: 4,
        hook_skips: 5,
        unrecovered_skips: 6,
        ungrouped: 7,
        unlisted: 8,
        ownerless: 9,
        unfollowed: 12,
        not_removed: 10,
        lookups,
    };
    let state = SocketState { local: None, remote: Ipv4Addr::LOCALHOST.into(), port: 80, state: 6, sockets: 7 };
    let with_source = SocketState { local: Some(Ipv4Addr::LOCALHOST.into()), ..state };
    let listing = Some(Listing { states: vec![state, with_source], local_ports: 28_232 });
    let mut odd = group(3, 1);
    odd.counters.comm = [0xff; 16];
    let samples = [
        sample(vec![overflow(), group(1, 1), group(2, 1), odd.clone()]),
        Sample { groups: vec![group(1, 1), group(2, 8), odd.clone()], loss, listing },
        Sample { groups: vec![ended(group(1, 1)), group(2, 8), odd.clone()], loss, listing: None },
        Sample { groups: vec![group(2, 8), GroupSample { process_ended: true, ..odd }], loss, listing: None },
    ];
    let rows = [RowKind::Open, RowKind::Exchange, RowKind::Close, RowKind::Failed].map(|kind| row(4, kind));
    let lines = encoded(&samples, &rows);
    let recording = open(lines.join("\n")).unwrap();
    assert_eq!(format!("{:?}", recording.about()), format!("{:?}", about()));
    assert_eq!(recording.max_connections(), 10);

    let (records, end) = read(lines.join("\n"));
    assert_eq!((records.len(), end), (8, Ok(START + 99)));
    for ((record, sample), n) in records.iter().zip(&samples).zip(1..) {
        let Record::Sample { unix_ns, sample: read } = record else { panic!("{record:?}") };
        assert_eq!((*unix_ns, format!("{read:?}")), (START + n, format!("{sample:?}")));
    }
    for (record, row) in records[4..].iter().zip(&rows) {
        let Record::Event(event) = record else { panic!("{record:?}") };
        let key = ConnectionKey { socket: row.id, connect_ns: 0 };
        assert_eq!(*event, Event { key, ..row.event.clone() }, "everything but the socket's address");
    }
    assert!(!lines.concat().contains(&row(1, RowKind::Open).event.key.socket.to_string()));
}

fn overflow() -> GroupSample {
    GroupSample { key: tcp_reuse_watch_ebpf::OVERFLOW, ..group(0, 1) }
}

#[test]
fn unchanged_groups_are_not_written_again() {
    let groups: Vec<_> = (1..=10_000).map(|tgid| group(tgid, 1)).collect();
    let mut changed = groups.clone();
    changed[17] = group(18, 2);
    let lines = encoded(&[sample(groups.clone()), sample(groups), sample(changed)], &[]);
    assert!(lines[1].len() < 4 << 20, "10,000 groups take {} bytes", lines[1].len());
    assert!(lines[2].len() < 100 && lines[3].len() < 400, "{}\n{}", lines[2], lines[3]);
    let (records, _) = read(lines.join("\n"));
    let Record::Sample { sample, .. } = &records[2] else { panic!("a sample") };
    assert_eq!(sample.groups.iter().map(|group| group.counters.new).sum::<u64>(), 10_001);
}

#[test]
fn listing_is_written_only_if_it_has_changed() {
    let remote = Ipv4Addr::LOCALHOST.into();
    let state = |state, sockets| SocketState { local: Some(remote), remote, port: 80, state, sockets };
    let listed = |states| Sample { listing: Some(Listing { states, local_ports: 9 }), ..Sample::default() };
    let (first, reordered, changed) =
        (vec![state(1, 1), state(6, 2)], vec![state(6, 2), state(1, 1)], vec![state(6, 3)]);
    let lines = encoded(&[first, reordered, changed].map(listed), &[]);
    let has_listing: Vec<bool> = lines.iter().map(|line| line.contains("listing")).collect();
    assert_eq!(has_listing, [false, true, false, true, false]);
}

#[test]
fn highest_mark_of_all_processors_is_written_and_target_is_not() {
    let mut marked = group(1, 5);
    (marked.counters.most_serving[3], marked.counters.target) = (4, 0x0123_4567_89ab_cdef);
    let lines = encoded(&[sample(vec![marked])], &[]);
    let counters = &serde_json::from_str::<serde_json::Value>(&lines[1]).unwrap()["sample"]["groups"][0]["counters"];
    assert_eq!(counters["needed"], 4, "{counters}");
    assert_eq!(counters["pool"], serde_json::json!(["counted", "mixed"]), "{counters}");
    assert!(counters.get("target").is_none() && !lines[1].contains(&0x0123_4567_89ab_cdef_u64.to_string()));
}
