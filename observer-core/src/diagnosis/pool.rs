//! A pool that keeps fewer connections than are in use at once.

use super::{Confidence, Diagnosis, Evidence, FEW, Subject, closers};
use crate::{
    group::{Counts, History},
    model::Cause,
};

/// The pool closes the connections that it has no room for after their response, while the connections that fit stay
/// idle, and opens new ones later. If no more were opened than were in use at once, no closed connection was needed
/// again.
pub(super) fn pool_too_small(subject: Subject<'_>) -> Option<Diagnosis> {
    let Counts { opened, pre_existing, closed, .. } = *subject.counts;
    let closes = subject.closes(Cause::ClosedAfterResponse);
    let concurrent = subject.history.most_busy;
    if closes < FEW || opened + pre_existing <= concurrent || !subject.is_significant(closes) || subject.needed_all() {
        return None;
    }
    if closers::abandons_all_in_use(subject) {
        return None;
    }
    let kept_idle = kept_idle(subject.history).filter(|kept_idle| *kept_idle < concurrent)?;
    let evidence = Evidence::PoolOverflow { closes, closed, kept_idle, concurrent };
    Some(subject.diagnosis(Confidence::Likely, closes, evidence))
}

/// How many connections stay idle when one is closed after its response. A client that shuts down closes its idle
/// connections one by one, which yields every number down to 0 once. So a number counts only if it occurs more often
/// than 0.
pub(super) fn kept_idle(history: &History) -> Option<u64> {
    let beside = history.of(Cause::ClosedAfterResponse, |closed| Some(closed.idle_beside()));
    let shut_down = beside.runs().find(|(idle, _)| *idle == 0).map_or(0, |(_, closes)| closes);
    beside.runs().find(|(_, closes)| *closes > shut_down).map(|(idle, _)| idle)
}
