//! The truth tables of the gates.

use tcp_reuse_watch_ebpf::pool;

use super::*;
use crate::{
    diagnosis::Finding,
    model::{Cause, Failure, GroupCounters, GroupKey, GroupSample, LossSample, Sample},
    tracker::Tracker,
};

/// A group with this many exchanges on new and on reused connections, whose pool asked as often as it opened.
fn group(new: u64, reused: u64, needed: u32) -> GroupCounters {
    let mut counters =
        GroupCounters { opened: new, new, reused, asked: new, pool: pool::COUNTED, ..GroupCounters::default() };
    // A group without connections is no row.
    counters.pre_existing = u64::from(new == 0);
    counters.most_serving[0] = needed;
    counters
}

/// Certain: its connections were closed with bytes unread. They speak HTTP/1.
fn unread(connections: u64) -> GroupCounters {
    let mut counters = group(connections, 0, 1);
    (counters.closed, counters.application) = (connections, crate::model::Application::Http1 as u64);
    counters.closes[Cause::UnreadResponse as usize] = connections;
    counters
}

/// Certain: connects found no local port.
fn without_ports(connects: u64) -> GroupCounters {
    let mut counters = group(1, 100, 1);
    counters.failures[Failure::AddressNotAvailable as usize] = connects;
    counters
}

fn mixed(group: &GroupCounters) -> GroupCounters {
    GroupCounters { pool: group.pool | pool::MIXED, ..*group }
}

fn marked(group: &GroupCounters) -> GroupCounters {
    GroupCounters { marked: 1, ..*group }
}

fn snapshot_with(groups: &[(GroupKey, GroupCounters)], loss: LossSample) -> Snapshot {
    let mut tracker = Tracker::new(0, 10);
    let sample = |(key, counters): &(GroupKey, GroupCounters)| GroupSample {
        key: *key,
        counters: *counters,
        ended: false,
        process_ended: false,
        evicted: false,
        runtime: None,
        cgroup: None,
    };
    tracker.sample(Sample { groups: groups.iter().map(sample).collect(), loss, ..Sample::default() });
    tracker.snapshot(0)
}

/// The groups of processes 1, 2, and so on.
fn snapshot(groups: &[GroupCounters]) -> Snapshot {
    lossy(groups, LossSample::default())
}

fn lossy(groups: &[GroupCounters], loss: LossSample) -> Snapshot {
    let keys = (1..).map(|tgid| GroupKey { tgid, ..GroupKey::default() });
    snapshot_with(&keys.zip(groups.iter().copied()).collect::<Vec<_>>(), loss)
}

/// The same beside the overflow group.
fn with_overflow(group: &GroupCounters) -> Snapshot {
    let key = GroupKey { tgid: 1, ..GroupKey::default() };
    let overflow = GroupCounters { pool: 0, ..self::group(1, 0, 0) };
    snapshot_with(&[(key, *group), (GroupKey::overflow_of(7), overflow)], LossSample::default())
}

fn judge(gates: &Gates, snapshot: &Snapshot) -> Judgement {
    let [judged] = gates.judge(snapshot).unwrap().try_into().unwrap();
    judged
}

fn reuse(least: f64, snapshot: &Snapshot) -> Judgement {
    judge(&Gates { min_reuse: Some(least), ..Gates::default() }, snapshot)
}

fn avoidable(most: u64, snapshot: &Snapshot) -> Judgement {
    judge(&Gates { max_avoidable: Some(most), ..Gates::default() }, snapshot)
}

fn fail_on(names: &str, snapshot: &Snapshot) -> Judgement {
    judge(&Gates { unwanted: Some(names.parse().unwrap()), ..Gates::default() }, snapshot)
}

fn result(judged: &Judgement) -> (Verdict, Option<Measure>, Option<Doubt>) {
    (judged.verdict, judged.measured, judged.doubt.clone())
}

fn worst(judged: &Judgement) -> (Option<u32>, Option<Finding>) {
    let worst = judged.worst.as_deref().unwrap();
    (worst.group.pid, worst.diagnosis.as_ref().map(Diagnosis::finding))
}

use Measure::{Count, Ratio};
use Verdict::{Failed, Passed, Skipped};

/// What makes the counts of connections incomplete.
fn losses() -> [LossSample; 2] {
    let none = LossSample::default();
    [LossSample { unrecovered_skips: 1, ..none }, LossSample { ownerless: 1, ..none }]
}

#[test]
fn reuse_ratio_at_the_limit_passes() {
    for (new, reused, least, verdict) in
        [(1, 9, 0.9, Passed), (1, 8, 0.9, Failed), (10, 0, 0.0, Passed), (0, 5, 1.0, Passed), (1, 999, 1.0, Failed)]
    {
        let judged = reuse(least, &snapshot(&[group(new, reused, 1)]));
        let ratio = reused as f64 / (new + reused) as f64;
        assert_eq!(result(&judged), (verdict, Some(Ratio(ratio)), None), "{reused} of {}", new + reused);
        assert_eq!(judged.worst.is_some(), verdict == Failed);
    }
}

#[test]
fn undefined_ratio_passes_with_a_doubt() {
    for snapshot in [snapshot(&[]), snapshot(&[group(0, 0, 0)])] {
        assert_eq!(result(&reuse(1.0, &snapshot)), (Passed, None, Some(Doubt::NoExchanges)));
    }
}

#[test]
fn marked_ratio_is_not_judged() {
    let none = LossSample::default();
    for (snapshot, ratio) in [
        (snapshot(&[marked(&group(10, 0, 1))]), Some(0.0)),
        (snapshot(&[group(1, 99, 1), marked(&group(0, 0, 0))]), Some(0.99)),
        (lossy(&[group(1, 99, 1)], LossSample { untracked: 1, ..none }), Some(0.99)),
        (lossy(&[group(1, 99, 1)], LossSample { mptcp: 1, ..none }), Some(0.99)),
        (lossy(&[group(10, 0, 1)], LossSample { counts: 1, ..none }), Some(0.0)),
        (lossy(&[], LossSample { counts: 1, ..none }), None),
    ] {
        assert_eq!(result(&reuse(0.9, &snapshot)), (Skipped, ratio.map(Ratio), Some(Doubt::Marked)));
    }
}

#[test]
fn ratio_of_an_incomplete_watch_has_a_doubt() {
    for loss in losses() {
        let judged = |group| result(&reuse(0.9, &lossy(&[group], loss)));
        assert_eq!(judged(group(1, 9, 1)), (Passed, Some(Ratio(0.9)), Some(Doubt::Incomplete)));
        assert_eq!(judged(group(9, 1, 1)), (Failed, Some(Ratio(0.1)), Some(Doubt::Incomplete)));
    }
    // The counters count what rows do not show.
    let rows = LossSample { rows: 7, unlisted: 1, ..LossSample::default() };
    assert_eq!(result(&reuse(0.9, &lossy(&[group(1, 9, 1)], rows))), (Passed, Some(Ratio(0.9)), None));
}

#[test]
fn worst_reuse_is_that_of_the_group_that_lacks_most() {
    let judged = reuse(0.9, &snapshot(&[group(10, 990, 1), unread(150), group(1, 0, 1)]));
    assert_eq!(worst(&judged), (Some(2), Some(Finding::ResponseNotRead)));
    let judged = reuse(0.9, &snapshot(&[group(1, 0, 1), group(4, 1, 1)]));
    assert_eq!(worst(&judged), (Some(2), None));
}

#[test]
fn avoidable_connections_at_the_limit_pass() {
    for (most, verdict) in [(0, Failed), (8, Failed), (9, Passed), (u64::MAX, Passed)] {
        let judged = avoidable(most, &snapshot(&[group(6, 0, 1), group(5, 0, 1), group(3, 50, 3)]));
        assert_eq!(result(&judged), (verdict, Some(Count(9)), None), "{most}");
    }
    assert_eq!(result(&avoidable(0, &snapshot(&[]))), (Passed, Some(Count(0)), None));
}

#[test]
fn avoidable_connections_that_are_not_counted_are_not_judged() {
    let old = GroupCounters { pool: 0, ..group(10, 0, 1) };
    assert_eq!(result(&avoidable(0, &snapshot(&[old]))), (Skipped, None, Some(Doubt::NotCounted)));
}

#[test]
fn avoidable_connections_that_may_be_needed_fail_nothing() {
    let unclear = snapshot(&[mixed(&group(10, 0, 1)), group(4, 0, 1)]);
    for (most, expected) in [
        (2, (Failed, Some(Count(12)), None)),
        (3, (Skipped, Some(Count(12)), Some(Doubt::Unclear { beyond: 9 }))),
        (11, (Skipped, Some(Count(12)), Some(Doubt::Unclear { beyond: 9 }))),
        (12, (Passed, Some(Count(12)), None)),
    ] {
        assert_eq!(result(&avoidable(most, &unclear)), expected, "{most}");
    }
    assert_eq!(worst(&avoidable(2, &unclear)).0, Some(2), "it is avoidable for sure");
}

#[test]
fn lower_bound_fails_and_does_not_pass_silently() {
    let untracked = LossSample { untracked: 1, ..LossSample::default() };
    let counts = LossSample { counts: 1, ..LossSample::default() };
    let lossy = losses().into_iter().chain([untracked, counts]).map(|loss| lossy(&[group(10, 0, 1)], loss));
    for snapshot in lossy.chain([with_overflow(&group(10, 0, 1))]) {
        let doubt = Some(Doubt::Incomplete);
        assert_eq!(result(&avoidable(8, &snapshot)), (Failed, Some(Count(9)), doubt.clone()));
        assert_eq!(result(&avoidable(9, &snapshot)), (Passed, Some(Count(9)), doubt));
    }
}

#[test]
fn unwanted_diagnosis_fails() {
    let bad = snapshot(&[unread(10), group(1, 99, 1), without_ports(3), unread(20)]);
    for (names, expected) in [
        ("any", (Failed, Some(Count(3)), None)),
        ("response-not-read", (Failed, Some(Count(2)), None)),
        ("client-per-request,port-exhaustion", (Failed, Some(Count(1)), None)),
        ("client-per-request", (Passed, Some(Count(0)), None)),
    ] {
        assert_eq!(result(&fail_on(names, &bad)), expected, "{names}");
    }
    assert_eq!(worst(&fail_on("any", &bad)), (Some(4), Some(Finding::ResponseNotRead)));
    assert_eq!(worst(&fail_on("port-exhaustion", &bad)), (Some(3), Some(Finding::PortExhaustion)));
    assert_eq!(result(&fail_on("any", &snapshot(&[]))), (Passed, Some(Count(0)), None));
}

#[test]
fn possible_and_healthy_diagnoses_do_not_fail() {
    // Whether they carried requests is not known.
    let mut possible = marked(&unread(10));
    (possible.application, possible.inexact) = (0, 10);
    let mut healthy = group(10, 90, 10);
    healthy.closed = 10;
    healthy.closes[Cause::ServerClosedAfterResponse as usize] = 10;
    for group in [possible, healthy] {
        assert_eq!(fail_on("any", &snapshot(&[group])).verdict, Passed);
    }
}

#[test]
fn diagnoses_of_an_incomplete_watch_have_a_doubt() {
    let rows = LossSample { rows: 1, ..LossSample::default() };
    for snapshot in losses().into_iter().chain([rows]).map(|loss| lossy(&[group(1, 9, 1)], loss)) {
        assert_eq!(result(&fail_on("any", &snapshot)), (Passed, Some(Count(0)), Some(Doubt::Incomplete)));
    }
    let beside_overflow = |group| result(&fail_on("any", &with_overflow(&group)));
    assert_eq!(beside_overflow(group(1, 9, 1)), (Passed, Some(Count(0)), Some(Doubt::Incomplete)));
    assert_eq!(beside_overflow(unread(10)), (Failed, Some(Count(1)), Some(Doubt::Incomplete)));
}

#[test]
fn overflow_group_can_be_the_worst() {
    let judged = reuse(0.9, &with_overflow(&group(0, 10, 1)));
    assert_eq!(judged.verdict, Passed);
    let judged = reuse(1.0, &with_overflow(&group(0, 10, 1)));
    assert_eq!((judged.verdict, judged.worst.unwrap().group.name), (Failed, None));
}

#[test]
fn each_gate_is_judged_once() {
    assert_eq!(Gates::default().judge(&snapshot(&[])), None);
    assert_eq!(Gates::default().skip("why"), None);
    let all = Gates { min_reuse: Some(0.5), max_avoidable: Some(3), unwanted: Some(Unwanted::Any) };
    let names = |judged: Option<Vec<Judgement>>| judged.unwrap().iter().map(|of| of.gate.name()).collect::<Vec<_>>();
    assert_eq!(names(all.judge(&snapshot(&[unread(10)]))), ["min-reuse", "max-avoidable", "fail-on"]);
    for skipped in all.skip("not permitted").unwrap() {
        assert_eq!(result(&skipped), (Skipped, None, Some(Doubt::NoGround("not permitted".into()))));
    }
}

#[test]
fn unwanted_diagnoses_are_named() {
    for names in ["any", "response-not-read", "stale-connection,pool-too-small"] {
        assert_eq!(names.parse::<Unwanted>().unwrap().to_string(), names);
    }
    for (names, wrong) in [
        ("", "'' is no diagnosis"),
        ("all", "'all' is no diagnosis"),
        ("any,", "'any' is no diagnosis"),
        ("response-not-read,Stale-Connection", "'Stale-Connection' is no diagnosis"),
        ("max-lifetime", "'max-lifetime' is healthy"),
    ] {
        let error = names.parse::<Unwanted>().unwrap_err();
        assert!(error.starts_with(wrong), "{error}");
        let is_listed = |finding: Finding| error.split(": ").nth(1).unwrap().contains(finding.name());
        assert!(Finding::ALL.into_iter().all(|finding| is_listed(finding) != finding.is_healthy()), "{error}");
    }
}
