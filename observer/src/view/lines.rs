//! `-o lines`: a line a connection, and at the end a table and one sentence.

use std::{collections::BTreeMap, fmt::Write as _};

use comfy_table::{CellAlignment, Table, presets};
use jiff::{Timestamp, tz::TimeZone};

use super::{View, failure_name, finding_name};
use crate::{
    event::{About, Connection, Cut, Ender, Protocol, RowKind, state_name},
    printable::printable,
    tracker::{Confidence, Counts, GroupRow, Row, Snapshot},
    wrap::push_wrapped,
};

/// Rows of the table; what is beyond is one row.
const MAX_TABLE_ROWS: usize = 30;

/// Diagnoses of a group.
const MAX_DIAGNOSES: usize = 3;

pub(crate) struct LinesView;

impl View for LinesView {
    fn start(&self, about: &About) -> String {
        let ports = match about.ports.as_slice() {
            [] => "every port".into(),
            [port] if !port.contains('-') => format!("port {port}"),
            ports => format!("ports {}", ports.join(", ")),
        };
        let by = format!("(Linux {}, {})", about.kernel, about.hooks.join(" + "));
        let mut text = printable(&format!("watching {ports} {by}, Ctrl-C ends"));
        text.push('\n');
        if about.pre_existing > 0 {
            let _ = writeln!(text, "{} open already", plural(about.pre_existing, "connection is", "connections are"));
        }
        text
    }

    fn row(&self, row: &Row) -> String {
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
        format!("{} {what:<6} {process}{local} → {}{details}\n", time(row.event.unix_ns), connection.remote)
    }

    fn notice(&self, unix_ns: i64, _kind: &str, message: &str) -> String {
        format!("{} notice {}\n", time(unix_ns), printable(message))
    }

    fn summary(&self, _about: &About, snapshot: &Snapshot) -> String {
        let mut text = String::from("\n");
        if !snapshot.groups.is_empty() {
            let table = table(snapshot).to_string();
            for line in table.lines() {
                let _ = writeln!(text, "{}", line.trim_end());
            }
            text.push('\n');
        }
        text.push_str(&diagnoses(snapshot));
        for line in netstat(snapshot).into_iter().chain(caveats(snapshot)) {
            let _ = writeln!(text, "{line}");
        }
        text.push_str(&sentence(snapshot));
        text.push('\n');
        text
    }
}

/// Local time of day, with milliseconds.
fn time(unix_ns: i64) -> String {
    let time = Timestamp::from_nanosecond(unix_ns.into()).unwrap_or(Timestamp::UNIX_EPOCH);
    time.to_zoned(TimeZone::system()).strftime("%H:%M:%S%.3f").to_string()
}

fn process(name: Option<&str>, pid: Option<u32>) -> String {
    let name = name.map_or_else(|| "?".into(), printable);
    pid.map_or_else(|| name.clone(), |pid| format!("{name}[{pid}]"))
}

fn plural(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("{n} {one}") } else { format!("{n} {many}") }
}

/// Short enough for 80 columns, as long as nothing is odd.
fn close_details(connection: &Connection) -> String {
    let approximately = if connection.exact { "" } else { "≈" };
    let reused = connection.reused();
    let mut text = match (connection.exchanges, connection.exchanges - reused) {
        // Requests interleave: what is counted is how often the direction turned.
        (1.., _) if connection.protocol == Protocol::Http2 => {
            format!("HTTP/2, ≈{}", plural(connection.exchanges, "turn", "turns"))
        }
        (0, _) if connection.first_is_new => "unused".into(),
        (0, _) => "no exchange".into(),
        (_, 0) => format!("{approximately}{reused} reused"),
        (1, _) => format!("{approximately}1 new"),
        _ => format!("{approximately}1 new, {approximately}{reused} reused"),
    };
    text.push_str(match (connection.closed_by, connection.how) {
        (_, Cut::Timeout) => ", timed out",
        (Ender::Local, Cut::Reset) => ", reset by us",
        (Ender::Peer, Cut::Reset) => ", reset by peer",
        (Ender::Local, _) => ", by us",
        (Ender::Peer, _) => ", by peer",
        (Ender::Unknown, _) => ", end not seen",
    });
    if let Some(unread) = connection.unread_bytes.filter(|unread| *unread > 0) {
        let _ = write!(text, ", {} unread", plural(unread.into(), "byte", "bytes"));
    }
    text
}

/// A column, and whether it is shown where it holds nothing but zeros.
struct Column {
    title: &'static str,
    always: bool,
    value: fn(&Counts) -> u64,
}

const COLUMNS: [Column; 9] = [
    Column { title: "BEFORE", always: false, value: |counts| counts.pre_existing },
    Column { title: "OPENED", always: true, value: |counts| counts.opened },
    Column { title: "FAILED", always: false, value: Counts::failed },
    Column { title: "CLOSED", always: false, value: |counts| counts.closed },
    Column { title: "OPEN", always: false, value: Counts::open },
    Column { title: "UNUSED", always: false, value: |counts| counts.unused },
    Column { title: "EXCHANGES", always: true, value: Counts::exchanges },
    Column { title: "NEW", always: true, value: |counts| counts.new },
    Column { title: "REUSED", always: true, value: |counts| counts.reused },
];

fn table(snapshot: &Snapshot) -> Table {
    let columns: Vec<&Column> =
        COLUMNS.iter().filter(|column| column.always || (column.value)(&snapshot.totals) > 0).collect();
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    let titles = columns.iter().map(|column| column.title);
    table.set_header(["PROCESS", "REMOTE"].into_iter().chain(titles).chain(["RATIO"]));
    let mut add = |process: String, remote: String, counts: &Counts| {
        let numbers = columns.iter().map(|column| {
            let is_of_exchanges = matches!(column.title, "EXCHANGES" | "NEW" | "REUSED");
            let approximately = if is_of_exchanges && counts.inexact > 0 { "≈" } else { "" };
            format!("{approximately}{}", (column.value)(counts))
        });
        let ratio = counts.reuse_ratio().map_or_else(|| "–".into(), |ratio| format!("{:.1} %", ratio * 100.0));
        table.add_row([process, remote].into_iter().chain(numbers).chain([ratio]));
    };
    // One row too many is better shown than called "1 more".
    let shown = if snapshot.groups.len() > MAX_TABLE_ROWS + 1 { MAX_TABLE_ROWS } else { snapshot.groups.len() };
    for group in &snapshot.groups[..shown] {
        let (process, remote) = names(group);
        add(process, remote, &group.counts);
    }
    let rest = &snapshot.groups[shown..];
    if !rest.is_empty() {
        let mut counts = Counts::default();
        for group in rest {
            counts += group.counts;
        }
        add(format!("({} more)", rest.len()), String::new(), &counts);
    }
    if snapshot.groups.len() > 1 {
        add("total".into(), String::new(), &snapshot.totals);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((u16::from(index > 0), u16::from(index < 2)));
        if index >= 2 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn names(group: &GroupRow) -> (String, String) {
    let Some(name) = &group.name else { return ("(others)".into(), String::new()) };
    let process = match group.processes {
        Some(n) if n > 1 => format!("{} ×{n}", process(name.process.as_deref(), None)),
        _ => process(name.process.as_deref(), group.pid),
    };
    (process, std::net::SocketAddr::new(name.remote, name.port).to_string())
}

fn sentence(snapshot: &Snapshot) -> String {
    let totals = &snapshot.totals;
    if totals.exchanges() == 0 {
        if totals.is_empty() {
            return "no connections".into();
        }
        let opened = plural(totals.opened, "connection", "connections");
        return format!("no exchanges: {opened} opened, {} failed", totals.failed());
    }
    let approximately = if totals.inexact > 0 { "≈" } else { "" };
    let mut remotes: Vec<_> = snapshot.groups.iter().map(|group| names(group).1).collect();
    remotes.sort_unstable();
    remotes.dedup();
    let to = match remotes.as_slice() {
        [remote] if !remote.is_empty() => remote.clone(),
        _ => plural(remotes.len() as u64, "destination", "destinations"),
    };
    format!(
        "{approximately}{} to {to}: {approximately}{}, {approximately}{} reused",
        plural(totals.exchanges(), "exchange", "exchanges"),
        plural(totals.new, "on a new connection", "on new connections"),
        totals.reused
    )
}

/// Why connections were not reused: evidence and advice, of the first groups.
fn diagnoses(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for group in &snapshot.groups[..snapshot.groups.len().min(MAX_TABLE_ROWS)] {
        for diagnosis in group.diagnoses.iter().take(MAX_DIAGNOSES) {
            let confidence = match diagnosis.confidence {
                _ if diagnosis.healthy => " (healthy)",
                Confidence::Certain => "",
                Confidence::Likely => " (likely)",
                Confidence::Possible => " (possibly)",
            };
            let (process, remote) = names(group);
            let finding = finding_name(diagnosis.finding);
            let _ = writeln!(text, "{process} → {remote}: {finding}{confidence}");
            text.push_str("  ");
            push_wrapped(&mut text, &printable(&diagnosis.evidence), 2);
            text.push_str("  → ");
            push_wrapped(&mut text, &printable(&diagnosis.advice), 4);
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// What netstat would show now, over all destinations.
fn netstat(snapshot: &Snapshot) -> Option<String> {
    let mut states: BTreeMap<u16, u64> = BTreeMap::new();
    for state in snapshot.states.as_ref()? {
        *states.entry(state.state).or_default() += state.sockets;
    }
    let counts: Vec<_> = states.into_iter().map(|(state, n)| format!("{n} {}", state_name(state))).collect();
    (!counts.is_empty()).then(|| format!("sockets by now: {}", counts.join(", ")))
}

/// What keeps the numbers from being the whole truth.
fn caveats(snapshot: &Snapshot) -> Vec<String> {
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
    if snapshot.totals.inexact > 0 {
        lines.push(format!(
            "≈ {} on connections that cannot be counted exactly",
            plural(snapshot.totals.inexact, "exchange is", "exchanges are")
        ));
    }
    lines
}
