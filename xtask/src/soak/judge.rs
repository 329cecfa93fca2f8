//! The checks after a soak.

use std::fmt;

use serde_json::Value;

use super::churn::Counted;
use super::health::Health;
use super::held::{Held, MAX_OVERFLOW_GROUPS};
use super::server::Served;
use super::watch::Ended;

/// Whether the soak fails if resident memory has grown. It depends on the machine's other load and on the allocator's
/// habits, so `cargo xtask test` only prints it: there, what is held in maps and the allocations of the core
/// (observer-core/tests/allocations) tell of a leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    Judged,
    Printed,
}

/// Rows of groups that a watch keeps at most (`MAX_GROUPS`, observer-core/src/tracker/snapshot.rs), and the row for all
/// others.
const MAX_ROWS: usize = 10_001;

/// Permitted growth of memory. The allocator retains less than that for a while.
const MAX_GROWTH_KIB: f64 = 4096.0;

/// Part of the log line about each connection that does not fit.
const NO_ROOM: &str = "not tracked";

/// The true counts, from the servers and the clients.
pub(super) struct Truth {
    pub(super) server: Served,
    /// Server of the small watch
    pub(super) crowded: Served,
    pub(super) clients: Counted,
}

pub(super) struct Check {
    pub(super) holds: bool,
    what: String,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.holds { "ok    " } else { "FAILED" }, self.what)
    }
}

fn equal(name: &str, counted: u64, truth: u64) -> Check {
    Check { holds: counted == truth, what: format!("{name}: counted {counted}, true {truth}") }
}

pub(super) fn totals(truth: &Truth, watch: &Ended, small: &Ended) -> Vec<Check> {
    let mut checks = of_watch(truth, &watch.summary["totals"]);
    checks.extend(of_small(truth, &small.summary["totals"]));
    checks.push(bounded_rows("the watch", &watch.summary));
    checks.push(bounded_rows("the small watch", &small.summary));
    checks.push(no_complaint("the watch", watch.complaints.iter()));
    let complaints = small.complaints.iter().filter(|line| !line.contains(NO_ROOM));
    checks.push(no_complaint("the small watch, apart from missing room", complaints));
    checks
}

fn bounded_rows(name: &str, summary: &Value) -> Check {
    let rows = summary["groups"].as_array().map_or(usize::MAX, Vec::len);
    Check { holds: rows <= MAX_ROWS, what: format!("rows of groups of {name}: {rows}") }
}

fn no_complaint<'a>(name: &str, complaints: impl Iterator<Item = &'a String>) -> Check {
    let complaints: Vec<&str> = complaints.map(String::as_str).collect();
    let first = complaints.first().copied().unwrap_or_default();
    Check { holds: complaints.is_empty(), what: format!("warnings and errors of {name}: {} {first}", complaints.len()) }
}

fn total(totals: &Value, name: &str) -> u64 {
    // An absent total equals no count.
    totals[name].as_u64().unwrap_or(u64::MAX)
}

fn of_watch(truth: &Truth, totals: &Value) -> Vec<Check> {
    let of = |name| total(totals, name);
    vec![
        Check { holds: of("opened") > 10_000, what: format!("churn took place: {} connections", of("opened")) },
        equal("connections, by the server", of("opened"), truth.server.connections),
        equal("connections, by the clients", of("opened"), truth.clients.connections),
        equal("exchanges, by the server", of("exchanges"), truth.server.exchanges),
        equal("exchanges, by the clients", of("exchanges"), truth.clients.exchanges),
        equal("failed connects, by the clients", of("failed"), truth.clients.refused),
        equal("closed", of("closed"), truth.server.connections),
        equal("still open", of("open"), 0),
        equal("untracked", of("untracked"), 0),
        equal("inexact", of("inexact"), 0),
    ]
}

/// The small watch has room for fewer connections than are open at once. The others count as untracked.
fn of_small(truth: &Truth, totals: &Value) -> Vec<Check> {
    let of = |name| total(totals, name);
    vec![
        Check {
            holds: of("untracked") > 0,
            what: format!("the small watch overflowed: {} untracked", of("untracked")),
        },
        equal(
            "the small watch: opened and untracked",
            of("opened").saturating_add(of("untracked")),
            truth.crowded.connections,
        ),
        // Each connection carries one exchange.
        equal("the small watch: exchanges of those opened", of("exchanges"), of("opened")),
        equal("the small watch: closed", of("closed"), of("opened")),
    ]
}

/// Checks what is left once all clients have ended. Where the kernel skipped the hook at the end of a socket, an entry may
/// stay until the socket's memory is used again.
pub(super) fn held(name: &str, at_first: Held, at_last: Held, watch: &Ended) -> Vec<Check> {
    let skips = total(&watch.summary["totals"], "hook_skips");
    let Held { connections, groups, files } = at_last;
    let entries = format!(
        "{name} holds at last: {connections} connections, {groups} groups; hooks skipped by the kernel: {skips}"
    );
    let open = format!("open files of {name} have not grown: {} at first, {files} at last", at_first.files);
    vec![
        Check { holds: connections.max(groups.saturating_sub(MAX_OVERFLOW_GROUPS)) as u64 <= skips, what: entries },
        Check { holds: files <= at_first.files, what: open },
    ]
}

pub(super) fn memory(health: &Health, judged: Memory) -> Check {
    let (before, after) = health.median_kib();
    let (is_flat, verb) = match judged {
        Memory::Judged => (after <= before + MAX_GROWTH_KIB, "is flat"),
        Memory::Printed => (true, "is not judged here"),
    };
    let what = format!(
        "memory {verb}: {before:.0} KiB, then {after:.0} KiB in the median; {:+.0} KiB an hour; MiB over time: {}",
        health.kib_an_hour(),
        health.course()
    );
    Check { holds: is_flat, what }
}
