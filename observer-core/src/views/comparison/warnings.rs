//! Why numbers of the two sides may not be comparable, or are missing.

use crate::{
    comparison::{Comparison, GroupId, Losses, Numbers, Pair, Side},
    printable::printable,
    views::words::plural,
};

use super::words::group;

/// Maximum number of groups that a warning lists.
const MAX_LISTED: usize = 10;

/// Loads that differ by more than this factor are pointed out.
const MAX_LOAD_FACTOR: u64 = 2;

pub(super) fn warnings(comparison: &Comparison) -> Vec<String> {
    let Comparison { before, after, .. } = comparison;
    let [before_total, after_total] = comparison.both_totals();
    let mut warnings = side_warnings("before", before, before_total);
    warnings.extend(side_warnings("after", after, after_total));
    for mapping in &comparison.mappings_to_nothing {
        let new = printable(&mapping.new);
        warnings.push(format!("--map {}: after has no {new}", printable(&mapping.to_string())));
    }
    let mut only_before = comparison.only_before().peekable();
    let mut only_after = comparison.only_after().peekable();
    let is_nothing_common = comparison.groups.iter().all(|(_, pair)| pair.before.is_none() || pair.after.is_none());
    if is_nothing_common && only_before.peek().is_some() && only_after.peek().is_some() {
        warnings.push("no process and destination is on both sides: --map OLD=NEW says what belongs together".into());
    }
    warnings.extend(listed("only before", only_before));
    warnings.extend(listed("only after", only_after));
    if let (Some(old @ 1..), Some(new @ 1..)) = (before_total.exchanges(), after_total.exchanges())
        && old.max(new) > old.min(new).saturating_mul(MAX_LOAD_FACTOR)
    {
        warnings.push(format!(
            "not the same load: {old} exchanges before, {new} after; numbers of connections grow with it, the ratio need not"
        ));
    }
    if has_marks(comparison) {
        warnings.push("≈ marks a number that could not be counted exactly".into());
    }
    warnings
}

fn side_warnings(name: &str, side: &Side, total: &Numbers) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(reason) = &side.cut {
        warnings.push(format!("{name} is compared as far as it goes: {}", printable(reason)));
    }
    let Losses { untracked, counts_lost, unrecovered_skips, ownerless, events_lost, unlisted } = side.summary.losses;
    let losses = [
        (untracked, "connection was not counted", "connections were not counted"),
        (counts_lost, "count was lost", "counts were lost"),
        (unrecovered_skips, "skipped hook was not made good", "skipped hooks were not made good"),
        (
            ownerless,
            "connection from before the watch has no known process",
            "connections from before the watch have no known process",
        ),
        (events_lost, "row was lost (counted all the same)", "rows were lost (counted all the same)"),
        (unlisted, "socket was not listed (counted all the same)", "sockets were not listed (counted all the same)"),
    ];
    let lost = losses.into_iter().filter_map(|(n, one, many)| n.filter(|n| *n > 0).map(|n| plural(n, one, many)));
    let lost: Vec<String> = lost.collect();
    if !lost.is_empty() {
        warnings.push(format!("{name} is not complete: {}", lost.join(", ")));
    } else if side.summary.complete == Some(false) {
        warnings.push(format!("{name} is not complete, and its file does not say what was lost"));
    } else if !side.summary.are_counts_complete() {
        warnings.push(format!("{name} may not be complete: its file does not say what was lost"));
    }
    let unknown = [
        ("opened connections", total.opened.is_none()),
        ("exchanges", total.exchanges().is_none()),
        ("avoidable connections", total.avoidable.is_none()),
        ("causes", total.causes.is_none()),
    ];
    let unknown: Vec<&str> = unknown.into_iter().filter(|(_, is_unknown)| *is_unknown).map(|(name, _)| name).collect();
    if !unknown.is_empty() {
        warnings.push(format!("not known {name}: {} (its file does not have them)", unknown.join(", ")));
    }
    warnings
}

fn listed<'a>(what: &str, groups: impl Iterator<Item = &'a (Option<GroupId>, Pair)>) -> Option<String> {
    let mut names: Vec<String> = groups.map(|(id, _)| group(id.as_ref())).collect();
    let beyond = names.len().saturating_sub(MAX_LISTED);
    names.truncate(MAX_LISTED);
    let and_more = if beyond > 0 { format!(" and {beyond} more") } else { String::new() };
    (!names.is_empty()).then(|| format!("{what}: {}{and_more}", names.join(", ")))
}

fn has_marks(comparison: &Comparison) -> bool {
    let is_marked = |numbers: &&Numbers| {
        !numbers.is_exact && numbers.exchanges().is_some() || !numbers.is_avoidable_exact && numbers.avoidable.is_some()
    };
    comparison.groups.iter().flat_map(|(_, pair)| [&pair.before, &pair.after]).flatten().any(|side| is_marked(&side))
}
