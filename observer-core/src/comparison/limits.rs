//! What may become worse from BEFORE to AFTER: `--max-avoidable-growth` and `--max-reuse-drop`.
//!
//! A limit is exceeded only by what is known. It is never kept silently where numbers may be too low, and a ratio that is not
//! exact is not judged.

use crate::gate::Verdict;

use super::{Comparison, GroupId, Numbers, Pair, Reuse, count};

/// None: not asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// How many avoidable connections may be added, over all groups.
    pub max_avoidable_growth: Option<u64>,
    /// How much the share of exchanges on reused connections may drop, over all groups: from 0 to 1.
    pub max_reuse_drop: Option<f64>,
}

/// A limit with what was measured: None if it is not known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    AvoidableGrowth { measured: Option<i64>, allowed: u64 },
    ReuseDrop { measured: Option<f64>, allowed: f64 },
}

impl Limit {
    /// Its name in JSON, which is that of its option without the dashes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AvoidableGrowth { .. } => "max-avoidable-growth",
            Self::ReuseDrop { .. } => "max-reuse-drop",
        }
    }
}

/// Why a limit was not judged, or why its verdict may not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// A side lacks the number.
    NotKnown,
    /// Without an exchange there is no ratio.
    NoExchange,
    /// A side is cut, has lost counts, or has groups without the number.
    CountsMissing,
    /// A number is marked.
    Inexact,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement<'a> {
    pub limit: Limit,
    pub verdict: Verdict,
    pub doubt: Option<Doubt>,
    /// The group that has become worse most. None unless the limit is exceeded.
    pub worst: Option<(Option<&'a GroupId>, &'a Pair)>,
}

/// Quotients are not exact to the last digit.
const TOLERANCE: f64 = 1e-9;

impl Limits {
    pub fn judge<'a>(&self, comparison: &'a Comparison) -> Vec<Judgement<'a>> {
        let growth = self.max_avoidable_growth.map(|allowed| avoidable_growth(comparison, allowed));
        let drop = self.max_reuse_drop.map(|allowed| reuse_drop(comparison, allowed));
        growth.into_iter().chain(drop).collect()
    }
}

fn avoidable_growth(comparison: &Comparison, allowed: u64) -> Judgement<'_> {
    let [before, after] = comparison.both_totals();
    let measured = comparison.totals.growth(|numbers| numbers.avoidable);
    let judgement = |verdict, doubt| {
        let limit = Limit::AvoidableGrowth { measured, allowed };
        let growth = |pair: &Pair| pair.growth(|numbers| numbers.avoidable).map(|growth| growth as f64);
        Judgement { limit, verdict, doubt, worst: worst(comparison, verdict, growth) }
    };
    let (Some(growth), Some(avoidable_before)) = (measured, before.avoidable) else {
        return judgement(Verdict::Skipped, Some(Doubt::NotKnown));
    };
    let is_exceeded_by = |growth: i64| u64::try_from(growth).is_ok_and(|growth| growth > allowed);
    // Where connections may not be interchangeable, fewer were avoidable than it seems. Where counts are missing, more were.
    let is_before_whole = comparison.before.is_whole() && before.is_avoidable_whole;
    let is_after_whole = comparison.after.is_whole() && after.is_avoidable_whole;
    let missing = (!is_before_whole || !is_after_whole).then_some(Doubt::CountsMissing);
    let inexact = (!before.is_avoidable_exact || !after.is_avoidable_exact).then_some(Doubt::Inexact);
    let is_certain = is_before_whole && is_exceeded_by(count(after.surely_avoidable) - count(avoidable_before));
    if is_certain {
        judgement(Verdict::Failed, missing.or(inexact))
    } else if is_exceeded_by(growth) {
        judgement(Verdict::Skipped, missing.or(inexact))
    } else {
        judgement(Verdict::Passed, missing.or(inexact))
    }
}

fn reuse_drop(comparison: &Comparison, allowed: f64) -> Judgement<'_> {
    let numbers = comparison.both_totals();
    let reuses = numbers.map(Numbers::reuse);
    let measured = comparison.totals.ratio_growth().map(|growth| -growth);
    let sides = [&comparison.before, &comparison.after];
    let are_counts_complete = sides.iter().all(|side| side.summary.are_counts_complete());
    // The ratio of the part that was recorded.
    let cut = sides.iter().any(|side| side.cut.is_some()).then_some(Doubt::CountsMissing);
    let (verdict, doubt) = if reuses.contains(&Reuse::NotKnown) {
        (Verdict::Skipped, Some(Doubt::NotKnown))
    } else if !are_counts_complete {
        (Verdict::Skipped, Some(Doubt::CountsMissing))
    } else if !numbers.iter().all(|numbers| numbers.is_exact) {
        (Verdict::Skipped, Some(Doubt::Inexact))
    } else if reuses.contains(&Reuse::NoExchange) {
        (Verdict::Passed, Some(Doubt::NoExchange))
    } else if measured.is_some_and(|drop| drop > allowed + TOLERANCE) {
        (Verdict::Failed, cut)
    } else {
        (Verdict::Passed, cut)
    };
    // How many exchanges more are on new connections than at the ratio that the group, or all of BEFORE, had.
    let deterioration = |pair: &Pair| {
        let after = pair.after.as_ref()?;
        let before = pair.before.as_ref().and_then(|before| before.reuse().ratio()).or(reuses[0].ratio())?;
        Some(after.exchanges()? as f64 * before - after.reused? as f64)
    };
    let worst = worst(comparison, verdict, deterioration);
    Judgement { limit: Limit::ReuseDrop { measured, allowed }, verdict, doubt, worst }
}

/// The group with the highest of these numbers above 0, if a limit is exceeded.
fn worst(
    comparison: &Comparison,
    verdict: Verdict,
    deterioration: impl Fn(&Pair) -> Option<f64>,
) -> Option<(Option<&GroupId>, &Pair)> {
    if verdict != Verdict::Failed {
        return None;
    }
    let worse = comparison.groups.iter().filter_map(|group| Some((deterioration(&group.1)?, group)));
    let (_, (id, pair)) = worse.filter(|(by, _)| *by > TOLERANCE).max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    Some((id.as_ref(), pair))
}
