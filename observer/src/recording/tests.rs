//! Recordings there and back, from other versions, and from people who mean no good.

use std::{fs, net::Ipv4Addr, os::fd::AsRawFd as _, path::PathBuf};

use tcp_reuse_watch_ebpf::pool;
use tempfile::{TempDir, tempdir};

use super::*;
use crate::{
    event::{
        About, Application, CloseKind, Closer, Connection, ConnectionKey, Event, Failure, GroupCounters, GroupKey,
        GroupSample, Listing, LossSample, Protocol, RowKind, Sample, SocketState,
    },
    event_loop::event_loop,
    tracker::Row,
};

const START: i64 = 1_800_000_000_000_000_000;

fn about() -> About {
    About {
        hooks: vec!["sockops".into(), "tracepoint".into()],
        not_taken: vec!["kprobe: not built".into()],
        kernel: "6.18".into(),
        ports: vec!["80".into(), "8000-8099".into()],
        filters: vec!["of curl".into()],
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
        why: Some(crate::event::Why::MissedReuse),
        replaced_cause: Some(crate::event::Cause::ServerIdle),
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
    let key =
        GroupKey { start_ticks: 7, addr: Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets(), tgid, port: 80, reserved: 0 };
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
        runtime: Some(crate::runtime::Runtime::named("Go 1.19.8")),
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

struct Written {
    folder: TempDir,
    lines: Vec<String>,
}

/// What a recorder writes of this.
fn written(samples: &[Sample], rows: &[Row]) -> Written {
    let folder = tempdir().unwrap();
    let path = folder.path().join("recording");
    let mut recorder = Recorder::start(RecordingFile::create(&path).unwrap(), &about(), 10);
    for (sample, n) in samples.iter().zip(1..) {
        recorder.sample(START + n, sample);
    }
    for row in rows {
        recorder.event(row);
    }
    let notices = event_loop().unwrap().block_on(recorder.finish(START + 99));
    assert_eq!(notices, []);
    let lines = fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
    Written { folder, lines }
}

/// What is read from these bytes before the end, and why it ends there, without the file's name.
fn read(bytes: impl AsRef<[u8]>) -> (Vec<Record>, Result<i64, String>) {
    let folder = tempdir().unwrap();
    let path: PathBuf = folder.path().join("recording");
    fs::write(&path, bytes).unwrap();
    let reason = |error: anyhow::Error| {
        let message = format!("{error:#}");
        message.strip_prefix(&format!("{} ", path.display())).expect("it begins with the file's name").to_owned()
    };
    let mut recording = match Recording::open(&path) {
        Ok(recording) => recording,
        Err(error) => return (Vec::new(), Err(reason(error))),
    };
    let mut records = Vec::new();
    loop {
        match recording.next() {
            Ok(Record::End { unix_ns }) => return (records, Ok(unix_ns)),
            Ok(record) => records.push(record),
            Err(error) => return (records, Err(reason(error))),
        }
    }
}

#[test]
fn what_was_fed_comes_back() {
    let loss = LossSample { rows: 1, untracked: 2, mptcp: 3, counts: 4, hook_skips: 5, unrecovered_skips: 6 };
    let state = SocketState { remote: Ipv4Addr::LOCALHOST.into(), port: 80, state: 6, sockets: 7 };
    let listing = Some(Listing { states: vec![state], local_ports: 28_232 });
    let mut odd = group(3, 1);
    odd.counters.comm = [0xff; 16];
    let samples = [
        sample(vec![overflow(), group(1, 1), group(2, 1), odd.clone()]),
        Sample { groups: vec![group(1, 1), group(2, 8), odd.clone()], loss, listing },
        Sample { groups: vec![ended(group(1, 1)), group(2, 8), odd.clone()], loss, listing: None },
        Sample { groups: vec![group(2, 8), GroupSample { process_ended: true, ..odd }], loss, listing: None },
    ];
    let rows = [RowKind::Open, RowKind::Exchange, RowKind::Close, RowKind::Failed].map(|kind| row(4, kind));
    let Written { lines, folder } = written(&samples, &rows);
    let path = folder.path().join("recording");
    assert_eq!(format!("{:?}", Recording::open(&path).unwrap().about()), format!("{:?}", about()));
    assert_eq!(Recording::open(&path).unwrap().max_connections(), 10);

    let (records, end) = read(lines.join("\n"));
    assert_eq!((records.len(), end), (8, Ok(START + 99)));
    for ((record, sample), n) in records.iter().zip(&samples).zip(1..) {
        let Record::Sample { unix_ns, sample: read } = record else { panic!("{record:?}") };
        assert_eq!((*unix_ns, format!("{read:?}")), (START + n, format!("{sample:?}")));
    }
    for (record, row) in records[4..].iter().zip(&rows) {
        let Record::Event(event) = record else { panic!("{record:?}") };
        let key = ConnectionKey { socket: row.id, connect_ns: 0 };
        assert_eq!(*event, Event { key, ..row.event.clone() }, "all but the socket's address");
    }
    assert!(!lines.concat().contains(&row(1, RowKind::Open).event.key.socket.to_string()));
}

fn overflow() -> GroupSample {
    GroupSample { key: tcp_reuse_watch_ebpf::OVERFLOW, ..group(0, 1) }
}

#[test]
fn groups_that_stay_as_they_are_are_not_written_again() {
    let groups: Vec<_> = (1..=10_000).map(|tgid| group(tgid, 1)).collect();
    let mut changed = groups.clone();
    changed[17] = group(18, 2);
    let Written { lines, .. } = written(&[sample(groups.clone()), sample(groups), sample(changed)], &[]);
    assert!(lines[1].len() < 4 << 20, "10,000 groups take {} bytes", lines[1].len());
    assert!(lines[2].len() < 100 && lines[3].len() < 400, "{}\n{}", lines[2], lines[3]);
    let (records, _) = read(lines.join("\n"));
    let Record::Sample { sample, .. } = &records[2] else { panic!("a sample") };
    assert_eq!(sample.groups.iter().map(|group| group.counters.new).sum::<u64>(), 10_001);
}

#[test]
fn a_listing_is_written_when_it_is_another() {
    let state = |state, sockets| SocketState { remote: Ipv4Addr::LOCALHOST.into(), port: 80, state, sockets };
    let listed = |states| Sample { listing: Some(Listing { states, local_ports: 9 }), ..Sample::default() };
    let (one, other, more) = (vec![state(1, 1), state(6, 2)], vec![state(6, 2), state(1, 1)], vec![state(6, 3)]);
    let Written { lines, .. } = written(&[one, other, more].map(listed), &[]);
    let has_listing: Vec<bool> = lines.iter().map(|line| line.contains("listing")).collect();
    assert_eq!(has_listing, [false, true, false, true, false]);
}

#[test]
fn what_other_versions_know_is_ignored_and_what_they_do_not_is_nothing() {
    let text = r#"{"recording":1,"later":[1],"kernel":"5.10","started_unix_ns":5}
        {"event":{"unix_ns":6,"kind":"close","id":1,"later":{},"connection":{"remote":"1.2.3.4:80","how":"melted","later":1}}}
        {"sample":{"unix_ns":7,"later":0,"groups":[{"later":0,"key":{"tgid":1,"later":0},"counters":{"later":[3],"new":2}}]}}
        {"end":{"unix_ns":8,"later":null}}"#;
    let (records, end) = read(text.replace("\n        ", "\n"));
    assert_eq!(end, Ok(8));
    let [Record::Event(event), Record::Sample { sample, .. }] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((event.connection.remote.port(), event.connection.pid), (80, None));
    assert_eq!((event.connection.how, event.connection.exact), (CloseKind::Unknown, true));
    assert_eq!((sample.groups[0].counters.new, sample.groups[0].counters.failures), (2, [0; 8]));
    assert_eq!(event.connection.application, Application::Unknown);
    assert_eq!((sample.groups[0].counters.marked, sample.groups[0].counters.application), (0, 0));
}

/// The applications that a group and a connection of it are read to have.
fn applications_read(group: &str, connection: &str) -> (u64, Application) {
    let text = [
        "{\"recording\":1}".into(),
        format!(r#"{{"sample":{{"unix_ns":1,"groups":[{{"key":{{}},"counters":{{"application":{group}}}}}]}}}}"#),
        format!(
            r#"{{"event":{{"unix_ns":1,"kind":"close","id":1,"connection":{{"remote":"1.2.3.4:80","application":{connection}}}}}}}"#
        ),
        "{\"end\":{\"unix_ns\":2}}".into(),
    ];
    let (records, end) = read(text.join("\n"));
    assert_eq!(end, Ok(2));
    let [Record::Sample { sample, .. }, Record::Event(event)] = records.as_slice() else { panic!("{records:?}") };
    (sample.groups[0].counters.application, event.connection.application)
}

#[test]
fn applications_are_written_by_their_names() {
    let mut several = group(2, 1);
    several.counters.application = tcp_reuse_watch_ebpf::SEVERAL_APPLICATIONS;
    let Written { lines, .. } = written(&[sample(vec![group(1, 1), several])], &[row(1, RowKind::Close)]);
    assert!(lines[1].contains(r#""marked":1,"#) && lines[1].contains(r#""application":"postgresql""#), "{}", lines[1]);
    assert!(lines[1].contains(r#""application":"several""#), "{}", lines[1]);
    assert!(lines[2].contains(r#""application":"http2""#), "{}", lines[2]);
    assert_eq!(applications_read("\"redis\"", "\"redis\""), (Application::Redis as u64, Application::Redis));
    assert_eq!(applications_read("\"several\"", "null"), (255, Application::Unknown));
    assert_eq!(applications_read("\"gopher\"", "\"gopher\""), (0, Application::Unknown), "of a later version");
}

#[test]
fn of_the_processors_the_highest_mark_is_written_and_of_a_name_nothing() {
    let mut marked = group(1, 5);
    (marked.counters.most_serving[3], marked.counters.target) = (4, 0x0123_4567_89ab_cdef);
    let Written { lines, .. } = written(&[sample(vec![marked])], &[]);
    let counters = &serde_json::from_str::<serde_json::Value>(&lines[1]).unwrap()["sample"]["groups"][0]["counters"];
    assert_eq!(counters["needed"], 4, "{counters}");
    assert_eq!(counters["pool"], serde_json::json!(["counted", "mixed"]), "{counters}");
    assert!(counters.get("target").is_none() && !lines[1].contains(&0x0123_4567_89ab_cdef_u64.to_string()));
}

#[test]
fn errors_name_the_line_and_the_reason() {
    const HEADER: &str = "{\"recording\":1}\n";
    let counters = |counters: &str| {
        format!("{HEADER}{{\"sample\":{{\"unix_ns\":1,\"groups\":[{{\"key\":{{}},\"counters\":{{{counters}}}}}]}}}}\n")
    };
    for (content, expected) in [
        (String::new(), "line 1: no recording of tcp-reuse-watch: it has to begin with a header, and is empty"),
        ("\n".into(), "line 1: no recording"),
        ("{}\n".into(), "line 1: no recording"),
        ("{\"type\":\"start\",\"schema\":1}\n".into(), "line 1: no recording"),
        ("{\"end\":{\"unix_ns\":1}}\n".into(), "line 1: no recording"),
        ("\u{7f}ELF\u{0}\u{1}".into(), "line 1: no recording"),
        (
            "{\"recording\":2,\"version\":\"9.9\\u001b\"}\n".into(),
            "line 1: a recording of version 2, made by tcp-reuse-watch 9.9\\u{1b};",
        ),
        ("{\"recording\":0}\n".into(), "line 1: a recording of version 0"),
        ("{\"recording\":1,\"ports\":7}\n".into(), "line 1: not what a recording holds, at column 24: invalid type"),
        ("{\"recording\":1,\"started_unix_ns\":-1}\n".into(), "line 1: its time is out of range"),
        (HEADER.into(), "line 1: cut off: the recording goes on no further"),
        (format!("{HEADER}{{\"eve"), "line 2: cut off in the middle of the line"),
        (format!("{HEADER}{{\"eve\n"), "line 2: not what a recording holds, at column"),
        (format!("{HEADER}\n"), "line 2: not what a recording holds"),
        (format!("{HEADER}\u{0}\u{0}"), "line 2: not what a recording holds, at column 1: expected value"),
        (
            format!("{HEADER}{{\"x\\u001b[2J\":1}}\n"),
            "line 2: not what a recording holds, at column 13: unknown variant `x\\u{1b}[2J`",
        ),
        (format!("{HEADER}{HEADER}"), "line 2: not what a recording holds"),
        (format!("{HEADER}{{\"end\":{{\"unix_ns\":-1}}}}\n"), "line 2: its time is out of range"),
        (format!("{HEADER}{{\"end\":{{\"unix_ns\":9223372036854775807}}}}\n"), "line 2: its time is out of range"),
        (format!("{HEADER}{{\"end\":{{\"unix_ns\":1}}}}\n{HEADER}"), "line 3: something follows the end"),
        (counters("\"new\":18446744073709551615"), "line 2: a group's counters are out of range"),
        (counters("\"new\":-1"), "line 2: not what a recording holds"),
        (
            counters("\"failures\":[1,1,1,1,1,1,1,1,1]"),
            "line 2: not what a recording holds, at column 86: 9 counters where 8",
        ),
        (counters("\"comm\":\"seventeen letters\""), "line 2: not what a recording holds, at column"),
        (
            format!("{HEADER}{{\"sample\":{{\"unix_ns\":1,\"loss\":{{\"rows\":18446744073709551615}}}}}}\n"),
            "line 2: a count",
        ),
        (format!("{HEADER}{}", "[".repeat(100_000)), "line 2: not what a recording holds, at column"),
    ] {
        let (records, end) = read(&content);
        assert_eq!(records.len(), 0);
        let error = end.expect_err(&content);
        assert!(error.starts_with(expected), "{error}\n{expected}");
        assert!(!error.chars().any(char::is_control), "{error:?}");
    }
}

#[test]
fn wherever_it_is_cut_what_came_before_is_there() {
    let rows = [row(1, RowKind::Open), row(1, RowKind::Close)];
    let text = written(&[sample(vec![group(1, 1)])], &rows).lines.join("\n");
    for end in 0..text.len() {
        let whole_lines = text[..end].matches('\n').count();
        let (records, result) = read(&text[..end]);
        let error = result.expect_err("it is cut");
        // A line of which nothing is missing but its end is whole too.
        let is_whole = text.as_bytes()[end] == b'\n';
        assert_eq!(records.len(), (whole_lines + usize::from(is_whole)).saturating_sub(1), "cut at {end}: {error}");
        let at_start = end > 0 && text.as_bytes()[end - 1] == b'\n';
        let line = if at_start { whole_lines } else { whole_lines + 1 };
        assert!(error.starts_with(&format!("line {line}: ")), "cut at {end}: {error}");
    }
    assert!(read(&text).1.is_ok());
}

#[test]
fn no_byte_that_is_changed_does_worse_than_be_refused() {
    let text = written(&[sample(vec![group(1, 1)])], &[row(1, RowKind::Close)]).lines.join("\n");
    for at in 0..text.len() {
        for byte in [0, b'9', b'"', b'}', b'\n', 0xff] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = byte;
            let (records, _) = read(bytes);
            assert!(records.len() <= 2);
        }
    }
}

#[test]
fn a_disk_that_is_full_is_said_once_and_ends_the_recording() {
    let full = RecordingFile::create("/dev/full".as_ref()).unwrap();
    let mut recorder = Recorder::start(full, &about(), 10);
    recorder.sample(START, &sample(vec![group(1, 1)]));
    let mut notices = Vec::new();
    while notices.is_empty() {
        std::thread::yield_now();
        notices = recorder.notices();
    }
    recorder.sample(START, &sample(vec![group(1, 2)]));
    recorder.event(&row(1, RowKind::Open));
    notices.extend(recorder.notices());
    notices.extend(event_loop().unwrap().block_on(recorder.finish(START)));
    let [notice] = notices.as_slice() else { panic!("{notices:?}") };
    assert_eq!(notice.kind, "record");
    assert!(notice.message.contains("/dev/full") && notice.message.contains("No space left"), "{}", notice.message);
}

#[test]
fn a_disk_that_takes_nothing_costs_events_and_then_the_recording_but_no_memory() {
    // A pipe that nobody reads. It is opened by its path, as a file is.
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
    let mut recorder = Recorder::start(RecordingFile::create(path.as_ref()).unwrap(), &about(), 10);
    for id in 1..=60_000 {
        recorder.event(&row(id, RowKind::Open));
    }
    let lost = recorder.lost_events();
    assert!((1..60_000).contains(&lost), "{lost}");
    let notices = recorder.notices();
    assert!(matches!(notices.as_slice(), [notice] if notice.message.contains("left out")), "{notices:?}");

    let mut notices = Vec::new();
    for n in 1..=30 {
        recorder.sample(START + 1, &sample((1..=10_000).map(|tgid| group(tgid, n)).collect()));
        notices.extend(recorder.notices());
        if !notices.is_empty() {
            break;
        }
    }
    assert!(matches!(notices.as_slice(), [notice] if notice.message.contains("recording ends")), "{notices:?}");
    assert_eq!(event_loop().unwrap().block_on(recorder.finish(START)), []);
    drop(reader);
}
