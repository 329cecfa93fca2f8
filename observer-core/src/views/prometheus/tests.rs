//! The text of scrapes made by hand.

use super::*;
use crate::model::{LossSample, ProgramSample};

fn encoded(scrape: &Scrape) -> String {
    let about = WatchInfo {
        hooks: vec!["sockops".into(), "fentry".into()],
        kernel: "6.1 \"x\"".into(),
        ..WatchInfo::default()
    };
    encode(&about, scrape, Format::Text)
}

fn lines<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name)).collect()
}

#[test]
fn overflow_series_has_no_other_label() {
    let labels =
        LabelSet { process: Some("a".into()), port: Some(80), cgroup: Some(String::new()), ..LabelSet::default() };
    let set = Values { open: 3, ..Values::default() };
    let scrape = Scrape { sets: vec![(Some(labels), set), (None, set)], overflowed: 7, ..Scrape::default() };
    let text = encoded(&scrape);
    assert_eq!(
        lines(&text, "tcp_reuse_connections_open"),
        [
            r#"tcp_reuse_connections_open{process="a",port="80",cgroup=""} 3"#,
            r#"tcp_reuse_connections_open{overflow="true"} 3"#
        ]
    );
    assert_eq!(lines(&text, "tcp_reuse_watch_series_overflowed"), ["tcp_reuse_watch_series_overflowed 7"]);
}

#[test]
fn missing_sockops_has_its_reason() {
    assert!(!encoded(&Scrape::default()).contains("tcp_reuse_watch_hooks_missing"));
    let about = WatchInfo { hooks_not_taken: vec!["sockops: \"why\"".into()], ..WatchInfo::default() };
    let text = encode(&about, &Scrape::default(), Format::Text);
    let expected = r#"tcp_reuse_watch_hooks_missing{hook="sockops",why="\"why\""} 1"#;
    assert_eq!(lines(&text, "tcp_reuse_watch_hooks_missing"), [expected]);
}

#[test]
fn causes_start_at_zero_and_errors_appear_when_they_occur() {
    let mut scrape = Scrape { sets: vec![(None, Values::default())], ..Scrape::default() };
    let text = encoded(&scrape);
    assert_eq!(lines(&text, "tcp_reuse_connections_closed_total").len(), CAUSES.len());
    assert_eq!(lines(&text, "tcp_reuse_connections_failed_total").len(), 0);
    scrape.sets[0].1.counters.failures[Failure::Other as usize] = 1;
    scrape.sets[0].1.counters.closes[Cause::Unknown as usize] = 1;
    let text = encoded(&scrape);
    assert_eq!(lines(&text, "tcp_reuse_connections_closed_total").len(), CAUSES.len() + 1);
    let failed = r#"tcp_reuse_connections_failed_total{overflow="true",error="other"} 1"#;
    assert_eq!(lines(&text, "tcp_reuse_connections_failed_total"), [failed]);
}

#[test]
fn bucket_bounds_match_the_contract() {
    let text = encoded(&Scrape { sets: vec![(None, Values::default())], ..Scrape::default() });
    let bounds = |name| {
        let bound = |line: &str| line.split("le=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        lines(&text, name).into_iter().map(bound).collect::<Vec<_>>()
    };
    assert_eq!(bounds("tcp_reuse_exchanges_per_connection_bucket"), ["1.0", "9.0", "99.0", "999.0", "+Inf"]);
    assert_eq!(
        bounds("tcp_reuse_connection_lifetime_seconds_bucket"),
        ["0.001", "0.01", "0.1", "1.0", "10.0", "60.0", "600.0", "3600.0", "+Inf"]
    );
}

#[test]
fn run_times_appear_only_while_they_are_measured() {
    let program = ProgramSample { name: "send", skips: 2, runs: 0, run_ns: 0 };
    let mut scrape = Scrape { programs: vec![program], ..Scrape::default() };
    let text = encoded(&scrape);
    assert!(text.contains("tcp_reuse_watch_hook_skips_total{program=\"send\"} 2\n"), "{text}");
    assert!(!text.contains("tcp_reuse_watch_program"), "{text}");
    scrape.programs[0] = ProgramSample { runs: 3, run_ns: 1_500_000_000, ..program };
    let text = encoded(&scrape);
    assert!(text.contains("tcp_reuse_watch_program_seconds_total{program=\"send\"} 1.5\n"), "{text}");
    assert!(text.contains("tcp_reuse_watch_program_runs_total{program=\"send\"} 3\n"), "{text}");
}

#[test]
fn losses_are_labelled_by_place() {
    let lookups = Some(Lookups { hung: 6, refused: 7 });
    let sampled = LossSample {
        rows: 9,
        untracked: 2,
        mptcp: 3,
        counts: 4,
        hook_skips: 0,
        unrecovered_skips: 5,
        ungrouped: 6,
        unlisted: 7,
        ownerless: 8,
        unfollowed: 9,
        not_removed: 9,
        lookups,
    };
    let losses = Losses { sampled, output_rows: 5, recording_rows: 1 };
    let text = encoded(&Scrape { losses, ..Scrape::default() });
    let values = |name| lines(&text, name).into_iter().map(|line| line.rsplit_once(' ').unwrap().1).collect::<String>();
    assert_eq!(values("tcp_reuse_watch_events_lost_total"), "3514");
    assert_eq!(values("tcp_reuse_watch_connections_untracked_total"), "23");
    assert_eq!(values("tcp_reuse_watch_sockets_lost_total"), "78");
    assert_eq!(values("tcp_reuse_watch_connections_ungrouped_total"), "6");
    assert_eq!(values("tcp_reuse_watch_entries_not_removed_total"), "9");
    assert_eq!(values("tcp_reuse_watch_unrecovered_skips_total"), "5");
    assert_eq!(values("tcp_reuse_watch_runtime_lookups_lost_total"), "67");
    assert!(!encoded(&Scrape::default()).contains("lookups"), "none are made");
    assert!(!text.contains("tcp_reuse_time_wait_sockets"), "sockets were not listed");
    assert!(text.contains("hooks=\"sockops,fentry\",kernel=\"6.1 \\\"x\\\"\"} 1\n"), "{text}");
}
