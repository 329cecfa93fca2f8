//! `--min-reuse`: the share of exchanges on reused connections.

use super::{Doubt, Gate, Judgement, Measure, Worst};
use crate::tracker::Snapshot;

pub(super) fn judge(least: f64, snapshot: &Snapshot) -> Judgement {
    let gate = Gate::MinReuse(least);
    let ratio = snapshot.totals.reuse_ratio();
    let measured = ratio.map(Measure::Ratio);
    if !snapshot.is_exact_ratio() {
        return Judgement::skipped(gate, measured, Doubt::Marked);
    }
    let incomplete = (!snapshot.are_counts_complete()).then_some(Doubt::Incomplete);
    match ratio {
        None => Judgement::passed(gate, None, Some(Doubt::NoExchanges)),
        Some(ratio) if ratio < least => {
            Judgement::failed(gate, Measure::Ratio(ratio), incomplete, worst(least, snapshot))
        }
        Some(_) => Judgement::passed(gate, measured, incomplete),
    }
}

/// The group with the most exchanges too few on reused connections.
fn worst(least: f64, snapshot: &Snapshot) -> Option<Worst> {
    let lack = |exchanges: u64, reused: u64| least * exchanges as f64 - reused as f64;
    let lacks = snapshot.groups.iter().map(|group| (group, lack(group.counts.exchanges(), group.counts.reused)));
    // Of equal groups the first, which has the most exchanges.
    let worst = lacks.reduce(|most, next| if next.1 > most.1 { next } else { most });
    worst.map(|(group, _)| Worst::of(group))
}
