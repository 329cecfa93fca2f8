//! The files of `--report`: what became of the gates, and the groups that did worst, in words.

mod junit;
mod markdown;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;

pub use junit::junit;
pub use markdown::markdown;

use crate::{
    conclusion::Conclusion,
    diagnosis::Diagnosis,
    gate::Judgement,
    tracker::{GroupRow, Snapshot},
};

/// More groups are only counted.
const MAX_GROUPS: usize = 10;

/// A group that did badly, and its likeliest problem.
struct Bad<'a> {
    group: &'a GroupRow,
    diagnosis: Option<Diagnosis>,
}

/// The groups with avoidable connections or a problem, the worst first; and how many more there are.
fn worst_groups(snapshot: &Snapshot) -> (Vec<Bad<'_>>, usize) {
    let problem = |group: &GroupRow| group.diagnoses().into_iter().find(|found| !found.finding().is_healthy());
    let all = snapshot.groups.iter().map(|group| Bad { group, diagnosis: problem(group) });
    let mut bad: Vec<Bad> = all.filter(|bad| bad.diagnosis.is_some() || avoidable(bad.group) > 0).collect();
    bad.sort_by_key(|bad| Reverse((avoidable(bad.group), bad.group.counts.new)));
    let more = bad.len().saturating_sub(MAX_GROUPS);
    bad.truncate(MAX_GROUPS);
    (bad, more)
}

fn avoidable(group: &GroupRow) -> u64 {
    group.counts.pool.avoidable().unwrap_or(0)
}

fn gates<'a>(conclusion: &'a Conclusion) -> &'a [Judgement] {
    conclusion.gates.as_deref().unwrap_or_default()
}
