//! What may become worse from BEFORE to AFTER: `--max-avoidable-growth` and `--max-reuse-drop`.
//!
//! A limit that is kept only because counts are missing is kept with a doubt. A ratio that is not exact is not judged.

use super::{Comparison, GroupId, Numbers, Pair, Reuse};

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
    /// Its option on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AvoidableGrowth { .. } => "--max-avoidable-growth",
            Self::ReuseDrop { .. } => "--max-reuse-drop",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Failed,
    /// Not judged.
    Skipped,
}

/// Why an outcome is not certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// A side lacks the number.
    NotKnown,
    /// A side has no exchange, so no ratio.
    NoExchange,
    /// A side is cut, or has lost counts.
    CountsMissing,
    /// A number is marked.
    Inexact,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict<'a> {
    pub limit: Limit,
    pub outcome: Outcome,
    pub doubt: Option<Doubt>,
    /// The group that has become worse most, if any has.
    pub worst: Option<(Option<&'a GroupId>, &'a Pair)>,
}

/// Quotients are not exact to the last digit.
const TOLERANCE: f64 = 1e-9;

impl Limits {
    pub fn judge<'a>(&self, comparison: &'a Comparison) -> Vec<Verdict<'a>> {
        let growth = self.max_avoidable_growth.map(|allowed| avoidable_growth(comparison, allowed));
        let drop = self.max_reuse_drop.map(|allowed| reuse_drop(comparison, allowed));
        growth.into_iter().chain(drop).collect()
    }
}

fn avoidable_growth(comparison: &Comparison, allowed: u64) -> Verdict<'_> {
    let measured = comparison.totals.growth(|numbers| numbers.avoidable);
    let is_exceeded = measured.is_some_and(|growth| u64::try_from(growth).is_ok_and(|growth| growth > allowed));
    let (is_before_whole, is_after_whole) = (comparison.before.is_whole(), comparison.after.is_whole());
    let outcome = match is_exceeded {
        _ if measured.is_none() => Outcome::Skipped,
        // Counts missing from BEFORE make the growth seem larger than it is.
        true if !is_before_whole => Outcome::Skipped,
        true => Outcome::Failed,
        false => Outcome::Passed,
    };
    let is_exact = comparison.both_totals().iter().all(|numbers| numbers.is_avoidable_exact);
    let doubt = match measured {
        None => Some(Doubt::NotKnown),
        Some(_) if !is_before_whole || !is_after_whole => Some(Doubt::CountsMissing),
        Some(_) if !is_exact => Some(Doubt::Inexact),
        Some(_) => None,
    };
    let worst = worst(comparison, |pair| pair.growth(|numbers| numbers.avoidable).map(|growth| growth as f64));
    Verdict { limit: Limit::AvoidableGrowth { measured, allowed }, outcome, doubt, worst }
}

fn reuse_drop(comparison: &Comparison, allowed: f64) -> Verdict<'_> {
    let numbers = comparison.both_totals();
    let reuses = numbers.map(Numbers::reuse);
    let measured = comparison.totals.ratio_growth().map(|growth| -growth);
    let are_counts_complete =
        [&comparison.before, &comparison.after].iter().all(|side| side.summary.are_counts_complete());
    let is_cut = comparison.before.cut.is_some() || comparison.after.cut.is_some();
    let (outcome, doubt) = if reuses.contains(&Reuse::NotKnown) {
        (Outcome::Skipped, Some(Doubt::NotKnown))
    } else if !are_counts_complete {
        (Outcome::Skipped, Some(Doubt::CountsMissing))
    } else if !numbers.iter().all(|numbers| numbers.is_exact) {
        (Outcome::Skipped, Some(Doubt::Inexact))
    } else if reuses.contains(&Reuse::NoExchange) {
        (Outcome::Passed, Some(Doubt::NoExchange))
    } else if measured.is_some_and(|drop| drop > allowed + TOLERANCE) {
        (Outcome::Failed, is_cut.then_some(Doubt::CountsMissing))
    } else {
        (Outcome::Passed, is_cut.then_some(Doubt::CountsMissing))
    };
    // How many exchanges more are on new connections than at the ratio that the group, or all of BEFORE, had.
    let worst = worst(comparison, |pair| {
        let after = pair.after.as_ref()?;
        let before = pair.before.as_ref().and_then(|before| before.reuse().ratio()).or(reuses[0].ratio())?;
        Some(after.exchanges()? as f64 * before - after.reused? as f64)
    });
    Verdict { limit: Limit::ReuseDrop { measured, allowed }, outcome, doubt, worst }
}

/// The group with the highest of these numbers above 0.
fn worst(comparison: &Comparison, deterioration: impl Fn(&Pair) -> Option<f64>) -> Option<(Option<&GroupId>, &Pair)> {
    let worse = comparison.groups.iter().filter_map(|group| Some((deterioration(&group.1)?, group)));
    let (_, (id, pair)) = worse.filter(|(by, _)| *by > TOLERANCE).max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    Some((id.as_ref(), pair))
}
