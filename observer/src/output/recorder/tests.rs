//! Full and slow disks.

use std::os::fd::AsRawFd as _;

use observer_core::model::{Connection, ConnectionKey, Event, GroupKey, GroupSample, RowKind, Sample};

use super::*;
use crate::host::event_loop::event_loop;

const START: i64 = 1_800_000_000_000_000_000;

fn about() -> WatchInfo {
    WatchInfo { started_unix_ns: START, ..WatchInfo::default() }
}

fn row(id: u64, kind: RowKind) -> Row {
    let connection = Connection { process: Some("curl".into()), ..Connection::unknown() };
    let key = ConnectionKey { socket: 0xffff_8881_0000_0000, connect_ns: 9 };
    Row { id, event: Event { kind, unix_ns: START + id.cast_signed(), key, group: GroupKey::default(), connection } }
}

fn group(tgid: u32, new: u64) -> GroupSample {
    let mut counters = observer_core::model::GroupCounters { opened: new, new, ..Default::default() };
    counters.comm[..4].copy_from_slice(b"curl");
    GroupSample {
        key: GroupKey { tgid, port: 80, ..GroupKey::default() },
        counters,
        ended: false,
        process_ended: false,
        evicted: false,
        runtime: None,
        cgroup: None,
    }
}

fn sample(groups: Vec<GroupSample>) -> Sample {
    Sample { groups, ..Sample::default() }
}

#[test]
fn full_disk_ends_the_recording_with_one_notice() {
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
fn blocked_disk_drops_events_and_then_ends_the_recording() {
    // A pipe without a reader, opened by path like a file.
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
