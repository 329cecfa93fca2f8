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

/// Why the number of exchanges is not exact.
pub(in crate::views) fn inexactness(totals: &Counts) -> Option<String> {
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

/// What was lost or left out.
pub(in crate::views) fn losses(snapshot: &Snapshot) -> Vec<String> {
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
    if loss.ownerless > 0 {
        lines.push(format!(
            "not looked up: the process of {}, for lack of room (raise --max-connections; a filter by process leaves them out)",
            plural(loss.ownerless, "connection from before the watch", "connections from before the watch")
        ));
    }
    if loss.unfollowed > 0 {
        lines.push(format!(
            "not watched: descendants of processes that are; {} one found no room (more than 65,536 at the same time)",
            plural(loss.unfollowed, "time", "times")
        ));
    }
    if loss.unlisted > 0 {
        lines.push(format!(
            "not listed: sockets found no room in a listing by state, {} (raise --max-connections)",
            plural(loss.unlisted, "time", "times")
        ));
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
    if loss.ungrouped > 0 {
        lines.push(format!(
            "not named: {} found no room for a group of their own (counted all the same)",
            plural(loss.ungrouped, "connection", "connections")
        ));
    }
    if loss.not_removed > 0 {
        lines.push(format!(
            "not removed: an entry, {} (counted all the same; it may take up room)",
            plural(loss.not_removed, "time", "times")
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
    use crate::model::LossSample;

    #[test]
    fn every_loss_has_a_line() {
        let none = LossSample::default();
        let line = |loss| losses(&Snapshot { loss, ..Snapshot::default() });
        assert_eq!(line(none), Vec::<String>::new());
        for (loss, expected) in [
            (LossSample { untracked: 1, ..none }, "not counted: 1 connection found no room (raise --max-connections)"),
            (LossSample { mptcp: 2, ..none }, "not counted: 2 connections of MPTCP, which is not supported"),
            (LossSample { counts: 3, ..none }, "not exact: 3 counts could not be stored"),
            (
                LossSample { ownerless: 4, ..none },
                "not looked up: the process of 4 connections from before the watch, for lack of room (raise --max-connections; a filter by process leaves them out)",
            ),
            (
                LossSample { unfollowed: 2, ..none },
                "not watched: descendants of processes that are; 2 times one found no room (more than 65,536 at the same time)",
            ),
            (
                LossSample { unlisted: 5, ..none },
                "not listed: sockets found no room in a listing by state, 5 times (raise --max-connections)",
            ),
            (LossSample { rows: 6, ..none }, "not shown: 6 rows were lost (counted all the same; raise --ring-size)"),
            (
                LossSample { unrecovered_skips: 7, ..none },
                "not complete: the kernel skipped a hook at least 7 times and nothing makes it good (use sockops)",
            ),
            (
                LossSample { ungrouped: 8, ..none },
                "not named: 8 connections found no room for a group of their own (counted all the same)",
            ),
            (
                LossSample { not_removed: 9, ..none },
                "not removed: an entry, 9 times (counted all the same; it may take up room)",
            ),
        ] {
            assert_eq!(line(loss), [expected]);
        }
    }

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
