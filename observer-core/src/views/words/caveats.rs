//! The lines below a summary: sockets by state, and why the numbers may be incomplete or inexact.

use std::collections::BTreeMap;

use super::number::plural;
use crate::{
    group::Counts,
    model::{Lookups, state_name},
    tracker::Snapshot,
};

/// Sockets by state, as netstat shows them, over all destinations.
pub(in crate::views) fn netstat(snapshot: &Snapshot) -> Option<String> {
    let mut states: BTreeMap<u16, u64> = BTreeMap::new();
    for state in snapshot.states.as_ref()? {
        *states.entry(state.state).or_default() += state.sockets;
    }
    let counts: Vec<_> = states.into_iter().map(|(state, n)| format!("{n} {}", state_name(state))).collect();
    (!counts.is_empty()).then(|| format!("sockets by now: {}", counts.join(", ")))
}

/// Why the numbers are incomplete or inexact.
pub(in crate::views) fn caveats(snapshot: &Snapshot) -> Vec<String> {
    let mut lines = losses(snapshot);
    lines.extend(inexactness(&snapshot.totals));
    lines.extend(unclear_pools(&snapshot.totals));
    lines
}

fn inexactness(totals: &Counts) -> Option<String> {
    if totals.is_exact() {
        return None;
    }
    // Marked connections without a counted exchange may still have carried some.
    let connections = plural(totals.marked, "connection", "connections");
    let amount = match totals.inexact {
        0 => format!("{connections} cannot"),
        inexact => format!("{} on connections that cannot", plural(inexact, "exchange is", "exchanges are")),
    };
    Some(format!("≈ {amount} be counted exactly"))
}

/// Why the number of avoidable connections is not exact.
fn unclear_pools(totals: &Counts) -> Option<String> {
    let is_inexact = totals.pool.avoidable().is_some_and(|avoidable| avoidable > 0) && !totals.pool.is_exact();
    is_inexact.then(|| {
        "≈ avoidable assumes that any connection could have replaced any other of its process to the same destination; for some that is not so, or not known"
            .into()
    })
}

fn losses(snapshot: &Snapshot) -> Vec<String> {
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
    let Lookups { hung, refused } = loss.lookups.unwrap_or_default();
    if hung > 0 {
        let refused =
            if refused > 0 { format!(", and {refused} more were not begun because of them") } else { String::new() };
        lines.push(format!(
            "not known: the runtimes of processes whose executables cannot be read; {} given up{refused}",
            plural(hung, "look-up was", "look-ups were")
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_connections_are_mentioned_even_without_exchanges() {
        let caveat = |inexact, marked| inexactness(&Counts { inexact, marked, ..Counts::default() });
        assert_eq!(caveat(0, 0), None);
        assert_eq!(caveat(0, 1).as_deref(), Some("≈ 1 connection cannot be counted exactly"));
        assert_eq!(caveat(0, 3).as_deref(), Some("≈ 3 connections cannot be counted exactly"));
        for marked in [0, 2] {
            let exchanges = Some("≈ 7 exchanges are on connections that cannot be counted exactly");
            assert_eq!(caveat(7, marked).as_deref(), exchanges);
        }
    }
}
