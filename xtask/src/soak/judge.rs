//! What must hold after a soak.

use std::fmt;

use serde_json::Value;

use super::churn::Counted;
use super::health::Health;
use super::server::Served;
use super::watch::Ended;

/// By how much there may be more memory than before. What the allocator keeps for a while is less.
const MOST_GROWN_KIB: f64 = 4096.0;

/// What is logged of each connection that is one too many.
const NO_ROOM: &str = "not tracked";

/// What servers and clients have counted.
pub(super) struct Truth {
    pub(super) server: Served,
    /// Of the small watch
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

pub(super) fn checks(truth: &Truth, watch: &Ended, small: &Ended, health: &Health) -> Vec<Check> {
    let mut checks = of_watch(truth, &watch.summary["totals"]);
    checks.extend(of_small(truth, &small.summary["totals"]));
    checks.extend(of_health(health));
    checks.push(no_complaint("the watch", watch.complaints.iter()));
    let complaints = small.complaints.iter().filter(|line| !line.contains(NO_ROOM));
    checks.push(no_complaint("the small watch, but that it has no room", complaints));
    checks
}

fn no_complaint<'a>(name: &str, complaints: impl Iterator<Item = &'a String>) -> Check {
    let complaints: Vec<&str> = complaints.map(String::as_str).collect();
    let first = complaints.first().copied().unwrap_or_default();
    Check { holds: complaints.is_empty(), what: format!("warnings and errors of {name}: {} {first}", complaints.len()) }
}

fn total(totals: &Value, name: &str) -> u64 {
    // What is absent is equal to nothing.
    totals[name].as_u64().unwrap_or(u64::MAX)
}

fn of_watch(truth: &Truth, totals: &Value) -> Vec<Check> {
    let of = |name| total(totals, name);
    vec![
        Check { holds: of("opened") > 10_000, what: format!("there was churn: {} connections", of("opened")) },
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

/// It has room for fewer connections than there are at once: what does not fit is counted as untracked.
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
        // One exchange each.
        equal("the small watch: exchanges of those opened", of("exchanges"), of("opened")),
        equal("the small watch: closed", of("closed"), of("opened")),
    ]
}

fn of_health(health: &Health) -> Vec<Check> {
    let (first, last) = health.files();
    let (before, after) = health.median_kib();
    let memory = format!(
        "memory is flat: {before:.0} KiB, then {after:.0} KiB in the median; {:+.0} KiB an hour; MiB over time: {}",
        health.kib_an_hour(),
        health.course()
    );
    vec![
        Check { holds: after <= before + MOST_GROWN_KIB, what: memory },
        Check { holds: last <= first, what: format!("open files are as many: {first} at first, {last} at last") },
    ]
}
