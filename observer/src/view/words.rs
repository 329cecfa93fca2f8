//! How numbers and names are said to a person, in lines and on the screen alike.

use std::{collections::BTreeMap, fmt::Write as _, net::SocketAddr};

use jiff::{Timestamp, tz::TimeZone};

use super::failure_name;
use crate::{
    event::{About, CloseKind, Closer, Connection, Protocol, RowKind, state_name},
    printable::printable,
    tracker::{Confidence, Counts, Diagnosis, GroupRow, Row, Snapshot},
};

/// What is watched.
pub(super) fn watched(about: &About) -> String {
    let ports: String = match about.ports.as_slice() {
        [] => "every port".into(),
        [port] if !port.contains('-') => format!("port {port}"),
        ports => format!("ports {}", ports.join(", ")),
    };
    printable(&[ports].iter().chain(&about.filters).map(String::as_str).collect::<Vec<_>>().join(" · "))
}

/// One connection's row, on a line.
pub(super) fn row(row: &Row) -> String {
    let connection = &row.event.connection;
    let (what, details) = match row.event.kind {
        RowKind::Open => ("open", String::new()),
        RowKind::Exchange if connection.reused() == 0 => ("new", "  exchange 1".into()),
        RowKind::Exchange => ("reused", format!("  exchange {}", connection.exchanges)),
        RowKind::Close => ("close", format!("  {}", close_details(connection))),
        RowKind::Failed => ("failed", format!("  {}", failure_name(connection.failure, connection.errno))),
    };
    let local = connection.local.map_or_else(String::new, |local| format!(" :{}", local.port()));
    let process = process(connection.process.as_deref(), connection.pid);
    format!("{} {what:<6} {process}{local} → {}{details}", time(row.event.unix_ns), connection.remote)
}

/// Of this machine; where screens are tested they look the same on every one.
fn zone() -> TimeZone {
    if cfg!(test) { TimeZone::UTC } else { TimeZone::system() }
}

/// Local time of day, with milliseconds.
pub(super) fn time(unix_ns: i64) -> String {
    let time = Timestamp::from_nanosecond(unix_ns.into()).unwrap_or(Timestamp::UNIX_EPOCH);
    time.to_zoned(zone()).strftime("%H:%M:%S%.3f").to_string()
}

/// How long, as a clock shows it: `0:07`, `12:34`, `1:02:03`.
pub(super) fn clock(us: u64) -> String {
    let seconds = us / 1_000_000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// As short as it is still told: `0.1 ms`, `12 ms`, `1.0 s`, `3:25`.
pub(super) fn short_time(us: u64) -> String {
    match us {
        0..10_000 => format!("{:.1} ms", us as f64 / 1e3),
        10_000..1_000_000 => format!("{} ms", us / 1000),
        1_000_000..60_000_000 => format!("{:.1} s", us as f64 / 1e6),
        _ => clock(us),
    }
}

pub(super) fn process(name: Option<&str>, pid: Option<u32>) -> String {
    let name = name.map_or_else(|| "?".into(), printable);
    pid.map_or_else(|| name.clone(), |pid| format!("{name}[{pid}]"))
}

pub(super) fn plural(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("{n} {one}") } else { format!("{n} {many}") }
}

/// The mark in front of a number that could not be counted exactly.
pub(super) fn approximately(is_exact: bool) -> &'static str {
    if is_exact { "" } else { "≈" }
}

/// Exchanges, with a mark where they could not be counted exactly.
pub(super) fn exchanges(n: u64, is_exact: bool) -> String {
    format!("{}{}", approximately(is_exact), plural(n, "exchange", "exchanges"))
}

/// Short enough for 80 columns, as long as nothing is odd.
pub(super) fn close_details(connection: &Connection) -> String {
    let approximately = approximately(connection.exact);
    let reused = connection.reused();
    let mut text = match (connection.exchanges, connection.exchanges - reused) {
        // Requests interleave: what is counted is how often the direction turned.
        (1.., _) if connection.protocol == Protocol::Http2 => {
            format!("HTTP/2, ≈{}", plural(connection.exchanges, "turn", "turns"))
        }
        // It may have carried some that could not be told.
        (0, _) if !connection.exact => exchanges(0, false),
        (0, _) if connection.first_is_new => "unused".into(),
        (0, _) => "no exchange".into(),
        (_, 0) => format!("{approximately}{reused} reused"),
        (1, _) => format!("{approximately}1 new"),
        _ => format!("{approximately}1 new, {approximately}{reused} reused"),
    };
    text.push_str(match (connection.closed_by, connection.how) {
        (_, CloseKind::Timeout) => ", timed out",
        (Closer::Local, CloseKind::Reset) => ", reset by us",
        (Closer::Peer, CloseKind::Reset) => ", reset by peer",
        (Closer::Local, _) => ", by us",
        (Closer::Peer, _) => ", by peer",
        (Closer::Unknown, _) => ", end not seen",
    });
    if let Some(unread) = connection.unread_bytes.filter(|unread| *unread > 0) {
        let _ = write!(text, ", {} unread", plural(unread.into(), "byte", "bytes"));
    }
    text
}

pub(super) fn names(group: &GroupRow) -> (String, String) {
    let Some(name) = &group.name else { return ("(others)".into(), String::new()) };
    let process = match group.processes {
        Some(n) if n > 1 => format!("{} ×{n}", process(name.process.as_deref(), None)),
        _ => process(name.process.as_deref(), group.pid),
    };
    (process, SocketAddr::new(name.remote, name.port).to_string())
}

/// The share of exchanges that needed no new connection.
pub(super) fn ratio(counts: &Counts) -> String {
    counts.reuse_ratio().map_or_else(|| "–".into(), |ratio| format!("{:.1} %", ratio * 100.0))
}

/// How many pieces of a bar a share (0 to 1) is, rounded up so that what is there is seen.
#[expect(clippy::cast_sign_loss, reason = "a share is no less than 0")]
pub(super) fn pieces(share: f64, all: usize) -> usize {
    (share * all as f64).ceil() as usize
}

/// Exact if it has room; else as exact as it has room for: `1234`, `1.23k`, `12M`. A number is never cut off.
pub(super) fn fitting(number: f64, decimals: usize, room: usize) -> String {
    let exact = format!("{number:.decimals$}");
    if exact.len() <= room {
        return exact;
    }
    let scaled = [(1e0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T"), (1e15, "P"), (1e18, "E")];
    let forms = scaled.into_iter().flat_map(|(unit, sign)| {
        [2, 1, 0].map(|decimals| (number / unit, format!("{:.decimals$}{sign}", number / unit)))
    });
    forms
        .filter(|(scaled, text)| *scaled < 999.5 && text.len() <= room)
        .map(|(_, text)| text)
        .next()
        .unwrap_or_else(|| "*".repeat(room))
}

/// How sure a diagnosis is, as an addition to its name.
pub(super) fn confidence(diagnosis: &Diagnosis) -> &'static str {
    match diagnosis.confidence {
        _ if diagnosis.healthy => " (healthy)",
        Confidence::Certain => "",
        Confidence::Likely => " (likely)",
        Confidence::Possible => " (possibly)",
    }
}

/// What netstat would show now, over all destinations.
pub(super) fn netstat(snapshot: &Snapshot) -> Option<String> {
    let mut states: BTreeMap<u16, u64> = BTreeMap::new();
    for state in snapshot.states.as_ref()? {
        *states.entry(state.state).or_default() += state.sockets;
    }
    let counts: Vec<_> = states.into_iter().map(|(state, n)| format!("{n} {}", state_name(state))).collect();
    (!counts.is_empty()).then(|| format!("sockets by now: {}", counts.join(", ")))
}

/// What keeps the numbers from being the whole truth.
pub(super) fn caveats(snapshot: &Snapshot) -> Vec<String> {
    let mut lines = losses(snapshot);
    lines.extend(inexactness(&snapshot.totals));
    lines.extend(unclear_pools(&snapshot.totals));
    lines
}

fn inexactness(totals: &Counts) -> Option<String> {
    if totals.is_exact() {
        return None;
    }
    // Those without an exchange may have carried some all the same.
    let connections = plural(totals.marked, "connection", "connections");
    let what = match totals.inexact {
        0 => format!("{connections} cannot"),
        inexact => format!("{} on connections that cannot", plural(inexact, "exchange is", "exchanges are")),
    };
    Some(format!("≈ {what} be counted exactly"))
}

/// Why it is not known how many connections were avoidable.
fn unclear_pools(totals: &Counts) -> Option<String> {
    let is_of_matter = totals.pool.avoidable().is_some_and(|avoidable| avoidable > 0) && !totals.pool.is_exact();
    is_of_matter.then(|| {
        "≈ avoidable assumes that any connection could have replaced any other of its process to the same destination; for some that is not so, or not known"
            .into()
    })
}

/// What was missed.
pub(super) fn losses(snapshot: &Snapshot) -> Vec<String> {
    let mut lines = Vec::new();
    let loss = &snapshot.loss;
    if loss.untracked > 0 {
        lines.push(format!(
            "not counted: {} found no room (raise --max-connections)",
            plural(loss.untracked, "connection", "connections")
        ));
    }
    if loss.mptcp > 0 {
        lines.push(format!(
            "not counted: {}, which is not supported",
            plural(loss.mptcp, "connection of MPTCP", "connections of MPTCP")
        ));
    }
    if loss.counts > 0 {
        lines.push(format!("not exact: {} could not be stored", plural(loss.counts, "count", "counts")));
    }
    if loss.rows > 0 {
        lines.push(format!(
            "not shown: {} (counted all the same; raise --ring-size)",
            plural(loss.rows, "row was lost", "rows were lost")
        ));
    }
    if loss.unrecovered_skips > 0 {
        lines.push(format!(
            "not complete: the kernel skipped a hook at least {} and nothing makes it good (use sockops)",
            plural(loss.unrecovered_skips, "time", "times")
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_never_cut_off() {
        let six = |number: u64| fitting(number as f64, 0, 6);
        assert_eq!([0, 999_999, 1_234_567, 999_999_999].map(six), ["0", "999999", "1.23M", "1.00G"]);
        assert_eq!([fitting(12_345.6, 1, 7), fitting(123_456.7, 1, 7)], ["12345.6", "123.46k"]);
        assert_eq!([fitting(5.0, 0, 0), fitting(12_345.0, 0, 3)], ["", "12k"]);
    }

    #[test]
    fn what_cannot_be_counted_exactly_is_said_also_without_an_exchange() {
        let said = |inexact, marked| inexactness(&Counts { inexact, marked, ..Counts::default() });
        assert_eq!(said(0, 0), None);
        assert_eq!(said(0, 1).as_deref(), Some("≈ 1 connection cannot be counted exactly"));
        assert_eq!(said(0, 3).as_deref(), Some("≈ 3 connections cannot be counted exactly"));
        for marked in [0, 2] {
            let exchanges = Some("≈ 7 exchanges are on connections that cannot be counted exactly");
            assert_eq!(said(7, marked).as_deref(), exchanges);
        }
    }

    #[test]
    fn a_connection_that_cannot_be_counted_exactly_is_not_called_unused() {
        let details =
            |exact| close_details(&Connection { exact, closed_by: Closer::Local, ..Connection::nothing_known() });
        assert_eq!([true, false].map(details), ["unused, by us", "≈0 exchanges, by us"]);
    }

    #[test]
    fn clocks_have_hours_only_when_there_are_some() {
        let clocks = [0, 59_999_999, 754_000_000, 3_723_000_000].map(clock);
        assert_eq!(clocks, ["0:00", "0:59", "12:34", "1:02:03"]);
    }
}
