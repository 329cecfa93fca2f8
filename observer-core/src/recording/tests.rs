//! Writes recordings and reads them back. The tests are grouped by subject; this file holds what they share.

mod hostile_input;
mod other_versions;
mod round_trip;

use std::{io::Cursor, net::Ipv4Addr, path::Path};

use tcp_reuse_watch_ebpf::pool;

use super::*;
use crate::{
    model::{
        Application, Cause, CloseKind, Closer, Connection, ConnectionKey, Event, Failure, Filters, GroupCounters,
        GroupKey, GroupSample, Protocol, RowKind, Sample, WatchInfo, Why,
    },
    runtime::Runtime,
    tracker::Row,
};

const START: i64 = 1_800_000_000_000_000_000;

fn about() -> WatchInfo {
    WatchInfo {
        hooks: vec!["sockops".into(), "tracepoint".into()],
        hooks_not_taken: vec!["kprobe: not built".into()],
        kernel: "6.18".into(),
        ports: vec!["80".into(), "8000-8099".into()],
        filters: vec!["of curl".into()],
        filters_by_kind: Some(Filters { processes: vec!["curl".into()], ..Filters::default() }),
        pre_existing: 3,
        started_unix_ns: START,
    }
}

fn row(id: u64, kind: RowKind) -> Row {
    let connection = Connection {
        pid: Some(7),
        process: Some("curl".into()),
        local: Some("[::1]:40000".parse().unwrap()),
        remote: "[fe80::1]:80".parse().unwrap(),
        pre_existing: true,
        first_is_new: false,
        why: Some(Why::MissedReuse),
        replaced_cause: Some(Cause::ServerIdle),
        idle_at_open: 1,
        idle_at_end: 2,
        busy_at_open: 3,
        cause: None,
        exchanges: 5,
        sent_bytes: Some(u64::MAX),
        received_bytes: Some(0),
        unread_bytes: Some(1),
        lifetime_us: Some(2),
        idle_us: None,
        closed_by: Closer::Peer,
        how: CloseKind::Timeout,
        protocol: Protocol::Http2,
        application: Application::Http2,
        exact: false,
        avoidable: Some(true),
        failure: Failure::NetworkUnreachable,
        errno: 101,
    };
    let key = ConnectionKey { socket: 0xffff_8881_0000_0000, connect_ns: 9 };
    Row { id, event: Event { kind, unix_ns: START + id.cast_signed(), key, group: GroupKey::default(), connection } }
}

fn group(tgid: u32, new: u64) -> GroupSample {
    let key = GroupKey { start_ticks: 7, addr: Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets(), tgid, port: 80, kind: 0 };
    let mut counters =
        GroupCounters { opened: new, new, failures: [0, 2, 0, 0, 0, 0, 0, 1], ..GroupCounters::default() };
    counters.exchanges_per_connection[1] = new;
    (counters.marked, counters.application) = (new, Application::Postgresql as u64);
    (counters.pool, counters.asked, counters.most_serving[0]) = (pool::COUNTED | pool::MIXED, new, 1);
    counters.comm[..4].copy_from_slice(b"curl");
    GroupSample {
        key,
        counters,
        ended: false,
        process_ended: false,
        evicted: false,
        runtime: Some(Runtime::from_name("Go 1.19.8")),
        cgroup: Some("api.service".into()),
    }
}

fn sample(groups: Vec<GroupSample>) -> Sample {
    Sample { groups, ..Sample::default() }
}

fn ended(mut group: GroupSample) -> GroupSample {
    (group.ended, group.process_ended) = (true, true);
    group
}

/// Encodes these samples and rows, and returns the lines.
fn encoded(samples: &[Sample], rows: &[Row]) -> Vec<String> {
    let mut encoder = Encoder::default();
    let mut bytes = encoder.header(&about(), 10).unwrap();
    for (sample, n) in samples.iter().zip(1..) {
        bytes.extend(encoder.sample(START + n, sample).unwrap());
    }
    for row in rows {
        bytes.extend(encoder.event(row).unwrap());
    }
    bytes.extend(encoder.end(START + 99).unwrap());
    String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
}

fn open(bytes: impl AsRef<[u8]>) -> anyhow::Result<Recording> {
    Recording::new(Path::new("recording"), Cursor::new(bytes.as_ref().to_vec()))
}

/// Reads the records before the end, and returns them with the time of the end, or the error without the file's name.
fn read(bytes: impl AsRef<[u8]>) -> (Vec<Record>, Result<i64, String>) {
    let message = |error: anyhow::Error| {
        let text = format!("{error:#}");
        text.strip_prefix("recording ").expect("errors begin with the file's name").to_owned()
    };
    let mut recording = match open(bytes) {
        Ok(recording) => recording,
        Err(error) => return (Vec::new(), Err(message(error))),
    };
    let mut records = Vec::new();
    loop {
        match recording.read() {
            Ok(Record::End { unix_ns }) => return (records, Ok(unix_ns)),
            Ok(record) => records.push(record),
            Err(error) => return (records, Err(message(error))),
        }
    }
}
