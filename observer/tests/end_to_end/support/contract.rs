//! The JSON contract (schema 1), checked on the output of every test: no field is absent, and the numbers agree with
//! each other.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::report::Report;

const OPENING: [&str; 10] =
    ["time", "id", "pid", "process", "local", "remote", "port", "pre_existing", "why", "replaced_cause"];
const CLOSING: [&str; 13] = [
    "exchanges",
    "reused",
    "sent_bytes",
    "received_bytes",
    "lifetime_us",
    "idle_us",
    "unread_bytes",
    "closed_by",
    "how",
    "cause",
    "protocol",
    "application",
    "exact",
];
/// In these protocols each turn is a request with its answer.
const WITH_EXACT_TURNS: [&str; 6] = ["http1", "postgresql", "mysql", "redis", "memcached", "websocket"];
const START: [&str; 8] = ["schema", "version", "time", "hooks", "kernel", "ports", "filters", "pre_existing"];
const SUMMARY: [&str; 11] = [
    "schema",
    "version",
    "duration_us",
    "hooks",
    "kernel",
    "complete",
    "exact",
    "totals",
    "groups",
    "gates",
    "command",
];
/// Fields of the totals and of each group.
const COUNTERS: [&str; 12] = [
    "opened",
    "failed",
    "closed",
    "open",
    "unused",
    "exchanges",
    "new",
    "reused",
    "reuse_ratio",
    "missed",
    "pre_existing",
    "inexact",
];
/// Counters that this version always knows, so the groups add up to the totals.
const KNOWN: [&str; 9] = ["opened", "failed", "closed", "open", "unused", "exchanges", "new", "reused", "inexact"];
const TOTALS: [&str; 13] = [
    "time_wait",
    "events_lost",
    "untracked",
    "hook_skips",
    "unrecovered_skips",
    "counts_lost",
    "ungrouped",
    "unlisted",
    "ownerless",
    "unfollowed",
    "not_removed",
    "lookups_hung",
    "lookups_refused",
];
/// Losses that make a summary incomplete.
const LOSSES: [&str; 7] =
    ["events_lost", "untracked", "unrecovered_skips", "counts_lost", "unlisted", "ownerless", "unfollowed"];
/// Losses that make its numbers inexact.
const INEXACT: [&str; 6] = ["untracked", "counts_lost", "unlisted", "ownerless", "unfollowed", "inexact"];
const GROUP: [&str; 13] = [
    "process",
    "pid",
    "processes",
    "remote",
    "port",
    "cgroup",
    "application",
    "why",
    "closes",
    "failures",
    "exchanges_per_connection",
    "lifetimes",
    "diagnoses",
];
const HISTOGRAM: [&str; 5] = ["1", "2-9", "10-99", "100-999", "1000+"];
pub(crate) const LIFETIMES: [&str; 9] = ["1ms", "10ms", "100ms", "1s", "10s", "1m", "10m", "1h", "longer"];

pub(super) fn check(report: &Report) {
    assert_eq!(report.start["type"], "start", "the first line");
    has(&report.start, &START);
    report.rows.iter().for_each(check_row);
    check_summary(&report.summary);
    assert_eq!(report.start["hooks"], report.summary["hooks"]);
    check_ids(report);
    if report.summary["complete"] == true {
        check_rows_against_totals(report);
    }
}

/// Checks a summary on its own, as `--summary` writes it.
pub(crate) fn check_summary(summary: &Value) {
    assert_eq!(summary["type"], "summary", "the last line: {summary}");
    has(summary, &SUMMARY);
    let totals = &summary["totals"];
    has(totals, &TOTALS);
    check_counters(totals);
    let groups = summary["groups"].as_array().expect("groups is a list");
    groups.iter().for_each(check_group);
    for name in KNOWN {
        let sum: u64 = groups.iter().map(|group| number(group, name)).sum();
        assert_eq!(sum, number(totals, name), "the groups do not add up to the total of {name}: {summary:#}");
    }
    let complete = LOSSES.iter().all(|loss| number(totals, loss) == 0);
    assert_eq!(summary["complete"], complete, "complete unless something was lost: {summary:#}");
    let exact = INEXACT.iter().all(|count| number(totals, count) == 0);
    assert!(
        exact || summary["exact"] == false,
        "marked exact although connections or exchanges were not counted exactly: {summary:#}"
    );
}

fn check_row(row: &Value) {
    match row["type"].as_str() {
        Some("open") => has(row, &OPENING),
        Some("exchange") => has(row, &["time", "id", "pid", "process", "remote", "port", "application", "n", "reused"]),
        Some("close") => {
            has(row, &OPENING);
            has(row, &CLOSING);
            let new = number(row, "exchanges") - number(row, "reused");
            // The first exchange seen on a pre-existing connection may have followed others.
            let expected = if row["pre_existing"] == true { 0..=1 } else { 1..=1 };
            assert!(row["exchanges"] == 0 && new == 0 || expected.contains(&new), "{row:#}");
            check_exactness(row);
        }
        Some("failed") => {
            has(row, &OPENING);
            has(row, &["error"]);
        }
        Some("notice") => return has(row, &["time", "kind", "message"]),
        _ => panic!("unknown row type, or row in the wrong place: {row:#}"),
    }
    let remote = row["remote"].as_str().expect("remote is an address");
    assert!(remote.ends_with(&format!(":{}", number(row, "port"))), "{row:#}");
    assert!(number(row, "id") < 1 << 53, "{row:#}");
}

/// Only a recognised protocol counts as exact, or within TLS the patterns that indicate HTTP.
fn check_exactness(close: &Value) {
    let application = close["application"].as_str();
    let is_recognised = application.is_some_and(|application| WITH_EXACT_TURNS.contains(&application));
    let is_tls = close["protocol"] == "tls";
    assert!(!is_tls || application.is_none(), "an application within TLS cannot be seen: {close:#}");
    let is_earned = close["exchanges"] == 0 || is_recognised || is_tls;
    assert!(close["exact"] == false || is_earned, "exact although the protocol was not recognised: {close:#}");
}

fn check_group(group: &Value) {
    has(group, &GROUP);
    check_counters(group);
    let failures = group["failures"].as_object().expect("failures is an object");
    let failed: u64 = failures.values().map(|n| n.as_u64().expect("a number of failures")).sum();
    assert_eq!(failed, number(group, "failed"), "{group:#}");
    let histogram = &group["exchanges_per_connection"];
    has(histogram, &HISTOGRAM);
    let used: u64 = HISTOGRAM.iter().map(|bucket| number(histogram, bucket)).sum();
    let new = number(group, "new");
    let most = new + pre_existing(group);
    assert!((new..=most).contains(&used), "a connection with an exchange belongs in one bucket: {group:#}");
    let lifetimes = &group["lifetimes"];
    has(lifetimes, &LIFETIMES);
    let ended: u64 = LIFETIMES.iter().map(|bucket| number(lifetimes, bucket)).sum();
    let closed = number(group, "closed");
    let least = closed.saturating_sub(pre_existing(group));
    assert!((least..=closed).contains(&ended), "a closed connection belongs in one bucket: {group:#}");
}

fn check_counters(counters: &Value) {
    has(counters, &COUNTERS);
    let n = |name| number(counters, name);
    assert_eq!(n("exchanges"), n("new") + n("reused"), "{counters:#}");
    let connections = n("opened") + pre_existing(counters);
    assert_eq!(connections, n("closed") + n("open"), "{counters:#}");
    assert!(n("new") + n("unused") <= connections, "{counters:#}");
    if n("open") == 0 && pre_existing(counters) == 0 {
        assert_eq!(
            n("new") + n("unused"),
            n("opened"),
            "each closed connection is either used or unused: {counters:#}"
        );
    }
    match counters["reuse_ratio"].as_f64() {
        None => assert!(n("exchanges") == 0 && counters["reuse_ratio"].is_null(), "{counters:#}"),
        Some(ratio) => {
            let expected = n("reused") as f64 / n("exchanges") as f64;
            assert!((ratio - expected).abs() < 1e-9, "{counters:#}");
        }
    }
}

/// Checks that an id names one connection: it opens at most once, ends at most once, and has no row after its end.
fn check_ids(report: &Report) {
    let mut opened = HashSet::new();
    let mut ended = HashSet::new();
    let mut exchanges: HashMap<u64, u64> = HashMap::new();
    for row in report.rows.iter().filter(|row| row["type"] != "notice") {
        let id = number(row, "id");
        assert!(!ended.contains(&id), "{id} has ended already: {row:#}");
        match row["type"].as_str() {
            Some("open") => assert!(opened.insert(id), "{id} is open already: {row:#}"),
            Some("exchange") => {
                let n = exchanges.entry(id).or_default();
                assert!(number(row, "n") > *n, "exchange numbers increase: {row:#}");
                *n = number(row, "n");
                assert!(row["reused"] == true || *n == 1, "{row:#}");
            }
            _ => assert!(ended.insert(id), "{id} ends twice: {row:#}"),
        }
    }
}

fn check_rows_against_totals(report: &Report) {
    let opened = report.of_type("open").into_iter().filter(|row| row["pre_existing"] != true).count() as u64;
    assert_eq!(opened, report.total("opened"), "open rows: {:#}", report.summary);
    for (kind, total) in [("close", "closed"), ("failed", "failed")] {
        assert_eq!(report.of_type(kind).len() as u64, report.total(total), "{kind} rows: {:#}", report.summary);
    }
    if report.total("open") == 0 {
        let sum: u64 = report.of_type("close").iter().map(|row| number(row, "exchanges")).sum();
        assert_eq!(sum, report.total("exchanges"), "exchanges of the close rows: {:#}", report.summary);
    }
    let rows = report.of_type("exchange").len() as u64;
    assert!(rows == 0 || rows == report.total("exchanges"), "exchange rows: {rows}, {:#}", report.summary);
}

/// Pre-existing connections; null if the watch did not look for them.
fn pre_existing(counters: &Value) -> u64 {
    counters["pre_existing"].as_u64().unwrap_or(0)
}

fn has(object: &Value, fields: &[&str]) {
    for field in fields {
        assert!(object.get(field).is_some(), "{field} is absent (it may be null, but not absent): {object:#}");
    }
}

fn number(object: &Value, field: &str) -> u64 {
    object[field].as_u64().unwrap_or_else(|| panic!("{field} is not a number: {object:#}"))
}
