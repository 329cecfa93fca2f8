//! A pool that keeps fewer connections than are in use at once.

use super::{Confidence, Diagnosis, FEW, Finding, Patient, closers};
use crate::{
    model::Cause,
    tracker::{Counts, Evidence},
};

/// What is too much for the pool is closed after its response, while so many as fit stay idle. What it lacked is opened
/// again: where no more were opened than were in use at once, nothing was closed that had been needed.
pub(super) fn pool_too_small(patient: Patient<'_>) -> Option<Diagnosis> {
    let Counts { opened, pre_existing, .. } = *patient.counts;
    let closes = patient.closes(Cause::ClosedAfterResponse);
    let concurrent = patient.evidence.most_busy;
    if closes < FEW || opened + pre_existing <= concurrent || !patient.minds(closes) || patient.needed_all() {
        return None;
    }
    if closers::leaves_nothing_in_use(patient) {
        return None;
    }
    let kept_idle = kept_idle(patient.evidence).filter(|kept_idle| *kept_idle < concurrent)?;
    let evidence = format!(
        "{closes} of {} closed by this process after a response, while {kept_idle} stayed idle; {concurrent} were in use at once",
        patient.counts.closed
    );
    let values = vec![("kept_idle", kept_idle), ("concurrent", concurrent)];
    Some(patient.diagnosis(Finding::PoolTooSmall, Confidence::Likely, closes, values, evidence))
}

/// How many stay idle when one is closed after its response. A client that is done closes all that it has kept, one after
/// the other: as often as none was left idle, so often that has passed each number on its way down.
pub(super) fn kept_idle(evidence: &Evidence) -> Option<u64> {
    let beside = evidence.of(Cause::ClosedAfterResponse, |ended| Some(ended.idle_beside()));
    let shut_down = beside.runs().find(|(idle, _)| *idle == 0).map_or(0, |(_, closes)| closes);
    beside.runs().find(|(_, closes)| *closes > shut_down).map(|(idle, _)| idle)
}
