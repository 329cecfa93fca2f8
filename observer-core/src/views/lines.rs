//! `-o lines`: a line for each connection, and at the end a table of groups, diagnoses and a summary sentence.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::{
    View, advice, evidence,
    words::{
        self, caveats, command_end, command_line, confidence, names, netstat, plural, ratio, time_of_day, watched,
    },
    wrap::push_wrapped,
};
use crate::{
    conclusion::Conclusion,
    group::Counts,
    model::WatchInfo,
    printable::printable,
    tracker::{Row, Snapshot},
};

/// Maximum number of groups in the table. Further ones are summed up in one row.
const MAX_TABLE_ROWS: usize = 30;

/// Maximum number of diagnoses shown for a group.
const MAX_DIAGNOSES: usize = 3;

pub struct LinesView;

impl View for LinesView {
    fn start(&self, about: &WatchInfo) -> String {
        let mut text = format!("watching {}, Ctrl-C ends\n", description(about));
        if about.pre_existing > 0 {
            let _ = writeln!(text, "{} open already", plural(about.pre_existing, "connection is", "connections are"));
        }
        text
    }

    fn row(&self, row: &Row, output: &mut Vec<u8>) {
        output.extend_from_slice(words::row(row).as_bytes());
        output.push(b'\n');
    }

    fn notice(&self, unix_ns: i64, _kind: &str, message: &str) -> String {
        format!("{} notice {}\n", time_of_day(unix_ns), printable(message))
    }

    fn summary(&self, conclusion: &Conclusion) -> String {
        let snapshot = conclusion.snapshot;
        let mut text = String::from("\n");
        if let Some(command) = &conclusion.command {
            // Its output is above, so this says whose the rest is.
            let _ = writeln!(text, "tcp-reuse-watch: {} {}\n", command_line(command), command_end(command));
        }
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

/// The start line in the past tense, for a watch that has ended.
pub fn ended_watch_line(about: &WatchInfo) -> String {
    format!("watched {}\n", description(about))
}

/// The ports, the kernel and the hooks of a watch.
fn description(about: &WatchInfo) -> String {
    printable(&format!("{} (Linux {}, {})", watched(about), about.kernel, about.hooks.join(" + ")))
}

const AVOIDABLE: &str = "AVOIDABLE";

struct Column {
    title: &'static str,
    /// Whether the column is shown even if all its numbers are 0.
    always: bool,
    value: fn(&Counts) -> Option<u64>,
}

const COLUMNS: [Column; 10] = [
    Column { title: "BEFORE", always: false, value: |counts| Some(counts.pre_existing) },
    Column { title: "OPENED", always: true, value: |counts| Some(counts.opened) },
    Column { title: "FAILED", always: false, value: |counts| Some(counts.failed()) },
    Column { title: "CLOSED", always: false, value: |counts| Some(counts.closed) },
    Column { title: "OPEN", always: false, value: |counts| Some(counts.open()) },
    Column { title: "UNUSED", always: false, value: |counts| Some(counts.unused) },
    Column { title: "EXCHANGES", always: true, value: |counts| Some(counts.exchanges()) },
    Column { title: "NEW", always: true, value: |counts| Some(counts.new) },
    Column { title: "REUSED", always: true, value: |counts| Some(counts.reused) },
    Column { title: AVOIDABLE, always: false, value: |counts| counts.pool.avoidable() },
];

fn table(snapshot: &Snapshot) -> Table {
    let columns: Vec<&Column> =
        COLUMNS.iter().filter(|column| column.always || (column.value)(&snapshot.totals) > Some(0)).collect();
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    let titles = columns.iter().map(|column| column.title);
    table.set_header(["PROCESS", "REMOTE"].into_iter().chain(titles).chain(["RATIO"]));
    let mut add = |process: String, remote: String, counts: &Counts| {
        let numbers = columns.iter().map(|column| {
            let is_exact = match column.title {
                "EXCHANGES" | "NEW" | "REUSED" => counts.is_exact(),
                AVOIDABLE => snapshot.is_exact_pool(&counts.pool),
                _ => true,
            };
            match (column.value)(counts) {
                Some(number) => format!("{}{number}", words::approximately(is_exact)),
                None => "–".into(),
            }
        });
        table.add_row([process, remote].into_iter().chain(numbers).chain([ratio(counts)]));
    };
    // A "(1 more)" row would take the place of the group it stands for.
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

/// The whole watch in one sentence, without its full stop.
pub(super) fn sentence(snapshot: &Snapshot) -> String {
    let totals = &snapshot.totals;
    if totals.exchanges() == 0 {
        if totals.is_empty() {
            return "no connections".into();
        }
        let opened = plural(totals.opened, "connection", "connections");
        let none = if totals.is_exact() { "no exchanges".into() } else { words::exchanges(0, false) };
        return format!("{none}: {opened} opened, {} failed{}", totals.failed(), enough(snapshot));
    }
    let approximately = words::approximately(totals.is_exact());
    let mut remotes: Vec<_> = snapshot.groups.iter().map(|group| names(group).1).collect();
    remotes.sort_unstable();
    remotes.dedup();
    let to = match remotes.as_slice() {
        [remote] if !remote.is_empty() => remote.clone(),
        _ => plural(remotes.len() as u64, "destination", "destinations"),
    };
    format!(
        "{} to {to}: {approximately}{}, {approximately}{} reused{}",
        words::exchanges(totals.exchanges(), totals.is_exact()),
        plural(totals.new, "on a new connection", "on new connections"),
        totals.reused,
        enough(snapshot)
    )
}

/// How many connections would have been enough, if more were used.
fn enough(snapshot: &Snapshot) -> String {
    let Counts { pool, .. } = &snapshot.totals;
    match (pool.needed(), pool.avoidable(), snapshot.totals.missed()) {
        (Some(needed), Some(avoidable @ 1..), _) => {
            let approximately = words::approximately(snapshot.is_exact_pool(pool));
            let needed = plural(needed, "connection", "connections");
            format!("; {approximately}{needed} would have been enough ({approximately}{avoidable} avoidable)")
        }
        (_, _, missed @ 1..) => format!("; {missed} opened while an idle one was there"),
        _ => String::new(),
    }
}

/// The diagnoses of the groups in the table, with evidence and advice.
fn diagnoses(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for group in &snapshot.groups[..snapshot.groups.len().min(MAX_TABLE_ROWS)] {
        for diagnosis in group.diagnoses().iter().take(MAX_DIAGNOSES) {
            let (process, remote) = names(group);
            let finding = diagnosis.finding().name();
            let _ = writeln!(text, "{process} → {remote}: {finding}{}", confidence(diagnosis));
            text.push_str("  ");
            push_wrapped(&mut text, &printable(&evidence::sentence(&diagnosis.evidence)), 2);
            text.push_str("  → ");
            push_wrapped(&mut text, &printable(&advice::sentence(diagnosis)), 4);
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{GroupCounters, GroupKey, GroupSample, Sample},
        tracker::Tracker,
    };

    fn summary(counters: &GroupCounters) -> String {
        let counters = *counters;
        let mut tracker = Tracker::new(0, 10);
        let key = GroupKey { tgid: 1, ..GroupKey::default() };
        let group = GroupSample {
            key,
            counters,
            ended: false,
            process_ended: false,
            evicted: false,
            runtime: None,
            cgroup: None,
        };
        tracker.sample(Sample { groups: vec![group], ..Sample::default() });
        LinesView.summary(&Conclusion::new(&WatchInfo::default(), &tracker.snapshot(0)))
    }

    #[test]
    fn marked_connection_marks_the_exchanges_of_its_group() {
        let text = summary(&GroupCounters { opened: 3, new: 2, reused: 8, marked: 1, ..GroupCounters::default() });
        for words in ["≈10", "≈2", "≈8", "≈ 1 connection cannot be counted exactly", "≈10 exchanges to"] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }

    #[test]
    fn zero_exchanges_are_marked_too() {
        let text = |marked| summary(&GroupCounters { opened: 3, marked, ..GroupCounters::default() });
        assert!(text(0).ends_with("\nno exchanges: 3 connections opened, 0 failed\n"), "{}", text(0));
        assert!(text(1).ends_with("\n≈0 exchanges: 3 connections opened, 0 failed\n"), "{}", text(1));
    }
}
