//! Connections that ended while they were idle, or because they had been idle for too long.

use super::{Confidence, Diagnosis, Evidence, FEW, Subject};
use crate::{
    group::{ClosedConnection, Spread},
    model::Cause,
};

/// A connection that was idle for this long may have been forgotten by its peer or dropped for its age. Ten times as
/// long as a request may take.
pub(super) const LONG_IDLE_US: u64 = 1_000_000;

/// The shortest upper bound that is taken for a timeout. Clients can be set to 1 s or more, and an idle time of 1 s may
/// come from a request each second.
const LEAST_BOUND_US: u64 = 1_100_000;

/// A connect this soon after a close belongs to the request that caused both. The time covers name resolution, a round
/// trip and the delays of a busy machine. A connect may also come slightly before the close.
const NOTICED_NS: i64 = 50_000_000;

pub(super) fn server_idle_timeout(subject: Subject<'_>) -> Option<Diagnosis> {
    let (closes, idle) = constant_idle_time(subject, Cause::ServerIdle)?;
    let evidence = Evidence::ServerIdle { closes, closed: subject.counts.closed, timeout_us: idle.median()? };
    Some(subject.diagnosis(Confidence::Likely, closes, evidence))
}

/// The client closes by a timer, or checks how long a connection was idle when the next request comes. The latter gives
/// only an upper bound for the timeout.
///
/// A client that sends some requests on a fresh connection for another reason, as Squid does with POST, looks the same.
/// It is excluded if some connections were idle for as long and used again, or if the time is too short for a setting
/// and most connections end this way.
pub(super) fn client_idle_timeout(subject: Subject<'_>) -> Option<Diagnosis> {
    let (closes, idle) = constant_idle_time(subject, Cause::ClientIdle)?;
    let is_noticed_late = are_noticed_at_the_next_request(subject);
    // The shortest upper bound is the closest to the timeout. The lower quartile excludes a few closes for another
    // reason.
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

/// The number of closes by this cause and their idle times, if the times are nearly constant and the connections were
/// replaced. Connections that are closed together at the end were no longer needed.
fn constant_idle_time(subject: Subject<'_>, cause: Cause) -> Option<(u64, Spread)> {
    let closes = subject.closes(cause);
    let replaced = closes.min(subject.replaced());
    if replaced < FEW || !subject.is_significant(replaced) {
        return None;
    }
    let idle = subject.history.of(cause, ClosedConnection::idle_us);
    idle.is_narrow().then_some((closes, idle))
}

/// Whether most of these connections were closed within moments of another connect.
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

/// Whether at least two connections survived such idle times: the average pause between their exchanges was 90 % of the
/// timeout or longer.
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
