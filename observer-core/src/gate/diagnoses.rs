//! `--fail-on`: diagnoses that no group may have. Those that are only possible do not count.

use super::{Doubt, Gate, Judgement, Measure, Unwanted, Worst};
use crate::{
    diagnosis::{Confidence, Diagnosis},
    tracker::{GroupRow, Snapshot},
};

pub(super) fn judge(unwanted: Unwanted, snapshot: &Snapshot) -> Judgement {
    let mut found = Vec::new();
    for group in &snapshot.groups {
        if let Some(diagnosis) = unwanted_diagnosis(&unwanted, group) {
            found.push((group, diagnosis));
        }
    }
    let measured = Measure::Count(found.len() as u64);
    // A lost row may have been evidence, and an overflow row has no diagnoses.
    let has_overflow = snapshot.groups.iter().any(|group| group.name.is_none());
    let incomplete = (has_overflow || !snapshot.is_complete()).then_some(Doubt::Incomplete);
    let gate = Gate::FailOn(unwanted);
    match found.into_iter().rev().max_by_key(|(_, diagnosis)| diagnosis.connections) {
        Some((group, diagnosis)) => {
            let worst = Worst { group: group.clone(), diagnosis: Some(diagnosis) };
            Judgement::failed(gate, measured, incomplete, Some(worst))
        }
        None => Judgement::passed(gate, Some(measured), incomplete),
    }
}

/// The unwanted diagnosis that explains the most connections of a group.
fn unwanted_diagnosis(unwanted: &Unwanted, group: &GroupRow) -> Option<Diagnosis> {
    let is_unwanted =
        |diagnosis: &Diagnosis| diagnosis.confidence != Confidence::Possible && unwanted.contains(diagnosis.finding());
    group.diagnoses().into_iter().filter(is_unwanted).max_by_key(|diagnosis| diagnosis.connections)
}
