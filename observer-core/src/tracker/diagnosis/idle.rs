//! Connections that ended while they were idle, or because they had been for too long.

use super::{Confidence, Diagnosis, FEW, Finding, Patient, words::time};
use crate::{
    model::Cause,
    tracker::evidence::{Ended, Spread},
};

/// From here on an idle connection may have been forgotten, or dropped for its age: ten times what a request may take.
pub(super) const LONG_IDLE_US: u64 = 1_000_000;

/// The shortest timeout of a client is a second; and what asks once a second does so for other reasons.
const LEAST_BOUND_US: u64 = 1_100_000;

/// A connect that follows a close within this time belongs to the request that brought both about: a resolver, a round trip
/// and a busy machine lie between them. One that is a little earlier does, too.
const NOTICED_NS: i64 = 50_000_000;

pub(super) fn server_idle_timeout(patient: Patient<'_>) -> Option<Diagnosis> {
    let (closes, idle) = constant_idle_time(patient, Cause::ServerIdle)?;
    let timeout_us = idle.median()?;
    let (all, timeout) = (patient.counts.closed, time(timeout_us));
    let evidence = format!("{closes} of {all} closed by the server when idle, at a median of {timeout}");
    let values = vec![("timeout_us", timeout_us)];
    Some(patient.diagnosis(Finding::ServerIdleTimeout, Confidence::Likely, closes, values, evidence))
}

/// By a timer, or by a look at the age of a connection when the next request comes, which gives no more than a bound.
///
/// The latter looks like a client that makes this request on a fresh connection for another reason, as Squid does with a
/// POST. There, connections have been idle for as long and were used again; or the time is too short for a setting, and most
/// connections end so.
pub(super) fn client_idle_timeout(patient: Patient<'_>) -> Option<Diagnosis> {
    let (closes, idle) = constant_idle_time(patient, Cause::ClientIdle)?;
    let are_noticed = are_noticed_at_the_next_request(patient);
    // What is noticed late is a bound, and the shortest one is the nearest; but for a few that ended by something else.
    let timeout_us = if are_noticed { idle.lower_quartile()? } else { idle.median()? };
    if outlive(patient, timeout_us) {
        return None;
    }
    let (all, timeout) = (patient.counts.closed, time(timeout_us));
    let values = vec![("timeout_us", timeout_us)];
    let (confidence, when) = if !are_noticed {
        (Confidence::Likely, format!("when idle, at a median of {timeout}"))
    } else if timeout_us >= LEAST_BOUND_US || closes * 2 < patient.counts.closed {
        (Confidence::Possible, format!("after at most {timeout} idle, noticed at the next request"))
    } else {
        return None;
    };
    let evidence = format!("{closes} of {all} closed by this process {when}");
    Some(patient.diagnosis(Finding::ClientIdleTimeout, confidence, closes, values, evidence))
}

/// How many were closed after the same time each time, and after what time, if they were opened anew: what is closed at the
/// end, all of it at once, was needed no more.
fn constant_idle_time(patient: Patient<'_>, cause: Cause) -> Option<(u64, Spread)> {
    let closes = patient.closes(cause);
    let replaced = closes.min(patient.replaced());
    if replaced < FEW || !patient.minds(replaced) {
        return None;
    }
    let idle = patient.evidence.of(cause, Ended::idle_us);
    idle.is_narrow().then_some((closes, idle))
}

/// Whether most idle connections were closed within moments of the opening of another one.
fn are_noticed_at_the_next_request(patient: Patient<'_>) -> bool {
    let all = patient.evidence.in_order(|_| true);
    let dropped = all.iter().filter(|ended| ended.cause == Cause::ClientIdle);
    let follows = |ended: &Ended, next: &Ended| {
        let after_ns = next.began_ns() - ended.ended_ns();
        ended != next && (-NOTICED_NS / 2..=NOTICED_NS).contains(&after_ns)
    };
    let noticed = dropped.clone().filter(|ended| all.iter().any(|next| follows(ended, next)));
    noticed.count() * 4 >= dropped.count() * 3
}

/// Whether connections were idle for longer than that between their exchanges, on average, and lived on.
fn outlive(patient: Patient<'_>, timeout_us: u64) -> bool {
    let pauses_us = patient.evidence.spread(|ended| {
        let pauses = ended.exchanges().checked_sub(1).filter(|pauses| *pauses > 0)?;
        Some(ended.used_us()? / pauses)
    });
    let long = pauses_us.runs().filter(|(pause_us, _)| pause_us * 10 >= timeout_us * 9).map(|(_, times)| times);
    long.sum::<usize>() >= 2
}

/// A reset after a long idle time: the server, or something between, had forgotten the connection when it was used again.
pub(super) fn stale_connection(patient: Patient<'_>) -> Option<Diagnosis> {
    let closes = patient.closes(Cause::ResetByPeer);
    let idle_us = patient.idle_us(Cause::ResetByPeer).filter(|idle_us| *idle_us >= LONG_IDLE_US)?;
    if closes < FEW || !patient.minds(closes) {
        return None;
    }
    let (all, idle) = (patient.counts.closed, time(idle_us));
    let evidence = format!("{closes} of {all} reset by the peer, at a median of {idle} after the last read");
    let values = vec![("idle_us", idle_us)];
    Some(patient.diagnosis(Finding::StaleConnection, Confidence::Possible, closes, values, evidence))
}
