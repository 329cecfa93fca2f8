//! `--max-avoidable`: connections that a pool that keeps its connections would have saved.

use super::{Doubt, Gate, Judgement, Measure, Worst};
use crate::tracker::{GroupRow, Snapshot};

pub(super) fn judge(most: u64, snapshot: &Snapshot) -> Judgement {
    let gate = Gate::MaxAvoidable(most);
    let pool = &snapshot.totals.pool;
    let Some(avoidable) = pool.avoidable() else { return Judgement::skipped(gate, None, Doubt::NotCounted) };
    let measured = Measure::Count(avoidable);
    let is_lower_bound = pool.is_lower_bound() || !snapshot.are_counts_complete();
    let incomplete = is_lower_bound.then_some(Doubt::Incomplete);
    // Where connections may not be interchangeable, fewer were avoidable than seem so.
    let certain: u64 = snapshot.groups.iter().map(certainly_avoidable).sum();
    if certain > most {
        Judgement::failed(gate, measured, incomplete, worst(snapshot))
    } else if avoidable > most {
        Judgement::skipped(gate, Some(measured), Doubt::Unclear { beyond: avoidable - certain })
    } else {
        Judgement::passed(gate, Some(measured), incomplete)
    }
}

fn certainly_avoidable(group: &GroupRow) -> u64 {
    let pool = &group.counts.pool;
    pool.avoidable().filter(|_| pool.is_exact()).unwrap_or(0)
}

/// Of equal groups the first, which has the most exchanges.
fn worst(snapshot: &Snapshot) -> Option<Worst> {
    snapshot.groups.iter().rev().max_by_key(|group| certainly_avoidable(group)).map(Worst::of)
}
