use super::*;
use crate::{
    gate::{Gates, Unwanted},
    model::{GroupCounters, GroupKey, GroupSample, LossSample, Sample, WatchInfo},
    tracker::{Snapshot, Tracker},
};
use tcp_reuse_watch_ebpf::pool;

/// A process with this many connections, one exchange on each.
fn group(new: u64, reused: u64, needed: u32) -> GroupCounters {
    let mut counters =
        GroupCounters { opened: new, new, reused, asked: new, pool: pool::COUNTED, ..GroupCounters::default() };
    counters.comm[..6].copy_from_slice(b"client");
    counters.most_serving[0] = needed;
    counters
}

fn snapshot(group: &GroupCounters, loss: LossSample) -> Snapshot {
    let mut tracker = Tracker::new(0, 10);
    let mut key = GroupKey { tgid: 7, port: 80, ..GroupKey::default() };
    key.addr[10..].copy_from_slice(&[0xff, 0xff, 192, 0, 2, 1]);
    let group = GroupSample {
        key,
        counters: *group,
        ended: false,
        process_ended: false,
        evicted: false,
        runtime: None,
        cgroup: None,
    };
    tracker.sample(Sample { groups: vec![group], loss, ..Sample::default() });
    tracker.snapshot(0)
}

fn lines(gates: &Gates, snapshot: &Snapshot) -> Vec<String> {
    let about = WatchInfo { ports: vec!["8080".into()], ..WatchInfo::default() };
    gate_lines(&Conclusion { gates: gates.judge(snapshot), ..Conclusion::new(&about, snapshot) })
}

fn line(gates: &Gates, snapshot: &Snapshot) -> String {
    let [line] = lines(gates, snapshot).try_into().unwrap();
    line
}

fn min_reuse(least: f64) -> Gates {
    Gates { min_reuse: Some(least), ..Gates::default() }
}

fn max_avoidable(most: u64) -> Gates {
    Gates { max_avoidable: Some(most), ..Gates::default() }
}

fn fail_on() -> Gates {
    Gates { unwanted: Some(Unwanted::Any), ..Gates::default() }
}

#[test]
fn failure_says_what_was_measured_who_did_worst_why_and_what_to_do() {
    let mut unread = group(10, 0, 1);
    (unread.closed, unread.application) = (10, crate::model::Application::Http1 as u64);
    unread.closes[crate::model::Cause::UnreadResponse as usize] = 10;
    let snapshot = snapshot(&unread, LossSample::default());
    let why = "Why: response-not-read: 10 of 10 closed by this process";
    let advice = "To do: Read the response to its end before closing it.\n";
    for (gates, words) in [
        (
            min_reuse(0.9),
            "tcp-reuse-watch: --min-reuse 0.9 failed: 0 of 10 requests reused a TCP connection (0.0 %), at least 90 % must. \
             Worst: client[7] to 192.0.2.1:80, 0 of 10 requests reused one. ",
        ),
        (
            max_avoidable(8),
            "tcp-reuse-watch: --max-avoidable 8 failed: 9 of 10 TCP connections were avoidable by keeping connections open, \
             at most 8 may. Worst: client[7] to 192.0.2.1:80, 9 of 10 connections avoidable. ",
        ),
        (
            fail_on(),
            "tcp-reuse-watch: --fail-on any failed: 1 pair of a process and a destination has response-not-read, which is \
             not allowed. Worst: client[7] to 192.0.2.1:80. ",
        ),
    ] {
        let line = line(&gates, &snapshot);
        assert!(line.starts_with(&format!("{words}{why}")) && line.ends_with(advice), "{line}");
    }
}

#[test]
fn pass_without_doubt_says_nothing() {
    let snapshot = snapshot(&group(1, 9, 1), LossSample::default());
    for gates in [Gates::default(), min_reuse(0.9), max_avoidable(0), fail_on()] {
        assert_eq!(lines(&gates, &snapshot), Vec::<String>::new());
    }
}

#[test]
fn doubt_is_told() {
    let marked = GroupCounters { marked: 1, ..group(1, 9, 1) };
    let mixed = GroupCounters { pool: pool::COUNTED | pool::MIXED, ..group(10, 0, 1) };
    let none = LossSample::default();
    let skipped = LossSample { unrecovered_skips: 2, ..none };
    let untracked = LossSample { untracked: 3, ..none };
    for (gates, group, loss, begin, end) in [
        (min_reuse(0.9), group(0, 0, 0), none, "--min-reuse 0.9 passed, but no request was seen", "(port 8080)\n"),
        (min_reuse(0.9), marked, none, "--min-reuse 0.9 was not judged: the share", "cannot be counted exactly\n"),
        (
            min_reuse(0.9),
            group(1, 9, 1),
            untracked,
            "--min-reuse 0.9 was not judged: the share",
            "--max-connections)\n",
        ),
        (
            max_avoidable(0),
            group(1, 9, 1),
            untracked,
            "--max-avoidable 0 passed, but there may be more: not counted",
            ")\n",
        ),
        (max_avoidable(5), mixed, none, "--max-avoidable 5 was not judged: 9 of the avoidable", "what they asked\n"),
        (fail_on(), group(1, 9, 1), skipped, "--fail-on any passed, but there may be more: not complete", ")\n"),
    ] {
        let line = line(&gates, &snapshot(&group, loss));
        assert!(line.starts_with(&format!("tcp-reuse-watch: {begin}")) && line.ends_with(end), "{line}");
    }
}

#[test]
fn failure_on_a_lower_bound_says_so() {
    let untracked = LossSample { untracked: 1, ..LossSample::default() };
    let line = line(&max_avoidable(0), &snapshot(&group(10, 0, 1), untracked));
    assert!(line.contains("at most 0 may; there may be more: not counted: 1 connection found no room"), "{line}");
}

#[test]
fn connections_in_use_at_the_same_time_explain_themselves() {
    let why = |group| {
        let line = line(&min_reuse(1.0), &snapshot(&group, LossSample::default()));
        line.split_once("Why: ").unwrap().1.to_owned()
    };
    assert_eq!(why(group(50, 0, 50)), "all 50 connections were in use at the same time, so none could be reused.\n");
    assert_eq!(why(group(3, 0, 2)), "not known: its connections show no pattern.\n");
}

#[test]
fn ratio_below_the_limit_does_not_look_like_it() {
    for (share, limit, text) in
        [(0.0, 0.9, "0.0 %"), (0.666_666, 0.9, "66.7 %"), (0.8999, 0.9, "89.99 %"), (0.999_999, 1.0, "99.9999 %")]
    {
        assert_eq!(percent_below(share, limit), text);
    }
    assert_eq!([0.9, 0.999, 1.0, 0.0, 0.07].map(percent), ["90 %", "99.9 %", "100 %", "0 %", "7 %"]);
}

#[test]
fn verdict_counts_the_gates() {
    use Verdict::{Failed, Passed, Skipped};
    let judged = |verdict| Judgement { gate: Gate::MaxAvoidable(0), verdict, measured: None, doubt: None, worst: None };
    let of = |verdicts: &[Verdict]| verdict(&verdicts.iter().copied().map(judged).collect::<Vec<_>>());
    assert_eq!(of(&[Passed]), "1 gate passed");
    assert_eq!(of(&[Passed, Passed, Skipped]), "2 gates passed, 1 not judged");
    assert_eq!(of(&[Failed, Passed, Skipped]), "1 of 3 gates failed, 1 not judged");
    assert_eq!(of(&[Skipped]), "1 gate not judged");
}
