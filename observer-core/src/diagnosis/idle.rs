//! Connections that ended while they were idle, or because they had been idle for too long.

use super::{Confidence, Diagnosis, Evidence, FEW, Subject};
use crate::{
    group::{ClosedConnection, Spread},
    model::Cause,
};

/// After this time an idle connection may have been forgotten or dropped for its age: ten times what a request may take.
pub(super) const LONG_IDLE_US: u64 = 1_000_000;

/// The shortest timeout that a client can be set to is a second, and a request each second has other reasons.
const LEAST_BOUND_US: u64 = 1_100_000;

/// A connect this soon after a close belongs to the request that caused both. A resolver, a round trip and a busy machine
/// lie between the two. A connect may also come slightly before the close.
const NOTICED_NS: i64 = 50_000_000;

pub(super) fn server_idle_timeout(subject: Subject<'_>) -> Option<Diagnosis> {
    let (closes, idle) = constant_idle_time(subject, Cause::ServerIdle)?;
    let evidence = Evidence::ServerIdle { closes, closed: subject.counts.closed, timeout_us: idle.median()? };
    Some(subject.diagnosis(Confidence::Likely, closes, evidence))
}

/// The client closes by a timer, or it checks the age of a connection when the next request comes. The latter gives only
/// an upper bound for the timeout.
///
/// A client that sends some requests on a fresh connection for another reason looks the same, as Squid does with POST. It
/// differs in that some connections were idle for as long and were used again, or in that the time is too short for a
/// setting while most connections end this way.
pub(super) fn client_idle_timeout(subject: Subject<'_>) -> Option<Diagnosis> {
    let (closes, idle) = constant_idle_time(subject, Cause::ClientIdle)?;
    let is_noticed_late = are_noticed_at_the_next_request(subject);
    // Of upper bounds the shortest is the nearest. The lower quartile leaves out a few closes of another cause.
    let timeout_us = if is_noticed_late { idle.lower_quartile()? } else { idle.median()? };
    if outlive(subject, timeout_us) {
        return None;
    }
    let all_closes = subject.counts.closed;
    let confidence = match is_noticed_late {
        false => Confidence::Likely,
        true if timeout_us >= LEAST_BOUND_US || closes * 2 < all_closes => Confidence::Possible,
        true => return None,
    };
    let evidence = Evidence::ClientIdle { closes, closed: all_closes, timeout_us, is_noticed_late };
    Some(subject.diagnosis(confidence, closes, evidence))
}

/// The number of closes by this cause and their idle times, if these are nearly constant and the connections were opened
/// again. Connections that are closed together at the end were no longer needed.
fn constant_idle_time(subject: Subject<'_>, cause: Cause) -> Option<(u64, Spread)> {
    let closes = subject.closes(cause);
    let replaced = closes.min(subject.replaced());
    if replaced < FEW || !subject.is_significant(replaced) {
        return None;
    }
    let idle = subject.history.of(cause, ClosedConnection::idle_us);
    idle.is_narrow().then_some((closes, idle))
}

/// Whether most idle connections were closed within moments of another connect.
fn are_noticed_at_the_next_request(subject: Subject<'_>) -> bool {
    let all = subject.history.in_order(|_| true);
    let dropped = all.iter().filter(|closed| closed.cause == Cause::ClientIdle);
    let follows = |closed: &ClosedConnection, next: &ClosedConnection| {
        let after_ns = next.began_ns() - closed.ended_ns();
        closed != next && (-NOTICED_NS / 2..=NOTICED_NS).contains(&after_ns)
    };
    let noticed = dropped.clone().filter(|closed| all.iter().any(|next| follows(closed, next)));
    noticed.count() * 4 >= dropped.count() * 3
}

/// Whether some connections were idle for longer than that between their exchanges, on average, and lived on.
fn outlive(subject: Subject<'_>, timeout_us: u64) -> bool {
    let pauses_us = subject.history.spread(|closed| {
        let pauses = closed.exchanges().checked_sub(1).filter(|pauses| *pauses > 0)?;
        Some(closed.used_us()? / pauses)
    });
    let long = pauses_us.runs().filter(|(pause_us, _)| pause_us * 10 >= timeout_us * 9).map(|(_, times)| times);
    long.sum::<usize>() >= 2
}

/// A reset after a long idle time: the server or a middlebox had forgotten the connection when it was used again.
pub(super) fn stale_connection(subject: Subject<'_>) -> Option<Diagnosis> {
    let closes = subject.closes(Cause::ResetByPeer);
    let idle_us = subject.idle_us(Cause::ResetByPeer).filter(|idle_us| *idle_us >= LONG_IDLE_US)?;
    if closes < FEW || !subject.is_significant(closes) {
        return None;
    }
    let evidence = Evidence::ResetWhenIdle { closes, closed: subject.counts.closed, idle_us };
    Some(subject.diagnosis(Confidence::Possible, closes, evidence))
}
