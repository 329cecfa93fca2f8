//! Connections that are opened for one unit of work each: by a new process, or by a new client object.

use tcp_reuse_watch_ebpf::IDLE_US;

use super::{
    Confidence, Diagnosis, Evidence, ExchangesEach, FEW, ProcessEach, Subject,
    idle::LONG_IDLE_US,
    unit::{announcements, are_checks, are_rare, most_at_once, serve_one_unit_each},
};
use crate::{
    group::{ClosedConnection, Counts, GroupApplication},
    model::{Application, Cause, Why},
};

/// This many processes of one name, or connections in a row, are a pattern.
const MANY: u64 = 5;

/// Many processes of one name, each with a connection of its own. Processes whose connection failed or asked nothing do
/// not count.
pub(super) fn process_per_request(subject: Subject<'_>) -> Option<Diagnosis> {
    let Counts { opened, closed, .. } = *subject.counts;
    let processes = subject.processes.filter(|processes| *processes >= MANY)?;
    let has_asked = subject.counts.new + announcements(subject) >= MANY;
    // Processes that still run may yet reuse their connection, so most must have ended.
    let have_ended = subject.counts.open() * 2 <= opened;
    if !has_asked || !have_ended || opened > processes + processes / 5 {
        return None;
    }
    let exchanges = subject.counts.exchanges();
    let has_one_each = exchanges <= opened + opened / 10;
    let is_found = if has_one_each {
        !are_workers(subject) && !are_checks(subject, |_| true) && !are_rare(subject, |_| true)
    } else {
        serve_one_unit_each(subject, closed, ClosedConnection::may_have_carried_requests)
    };
    // The one exchange of a WebSocket is the upgrade. Its use after that is not counted.
    if !is_found || subject.spoken == GroupApplication::One(Application::Websocket) {
        return None;
    }
    let is_certain = has_one_each && subject.speaks_requests();
    let confidence = if is_certain { Confidence::Certain } else { Confidence::Likely };
    let is_exact = subject.counts.is_exact();
    let units = || subject.history.in_order(ClosedConnection::may_have_carried_requests);
    let evidence = Evidence::ProcessEach(ProcessEach {
        processes,
        opened,
        exchanges,
        is_exact,
        one_after_the_other: !has_one_each && most_at_once(&units()) == 1,
        each: (!has_one_each).then(|| ExchangesEach::of_all(subject.history, is_exact)),
    });
    Some(subject.diagnosis(confidence, opened, evidence))
}

/// Whether processes ran side by side and kept their connections after the last answer: workers of a server, or
/// subscribers, whose only turn is the subscription.
fn are_workers(subject: Subject<'_>) -> bool {
    let closed = subject.history.in_order(ClosedConnection::may_have_carried_requests);
    let is_side_by_side = most_at_once(&closed) * 2 > closed.len() as u64;
    let median = |number: fn(&ClosedConnection) -> Option<u64>| subject.history.spread(number).median().unwrap_or(0);
    let may_have_subscribed = !subject.counts.is_exact() && median(ClosedConnection::lifetime_us) > LONG_IDLE_US;
    !closed.is_empty() && is_side_by_side && (may_have_subscribed || median(ClosedConnection::idle_us) >= IDLE_US)
}

/// Idle connections pile up, and new ones are opened beside them.
pub(super) fn client_per_request(subject: Subject<'_>) -> Option<Diagnosis> {
    let (missed, opened) = (subject.why(Why::MissedReuse), subject.counts.opened);
    let idle = subject.history.most_idle_at_open;
    if missed < FEW || missed * 2 < opened || idle < FEW || !subject.is_significant(missed) {
        return None;
    }
    // A pool may open connections in advance and use them later or never. A pool that is too small closes the
    // connections that it cannot keep.
    let closed = subject.closes(Cause::ClosedAfterResponse) + subject.closes(Cause::UnreadResponse);
    let has_one_each = subject.counts.reused < missed && subject.counts.new >= missed && closed * 2 <= missed;
    if !has_one_each && !are_left_unused(subject) {
        return None;
    }
    let unused_after = (!has_one_each).then(|| ExchangesEach::of_all(subject.history, subject.counts.is_exact()));
    let evidence = Evidence::OpenedBesideIdle { missed, opened, idle, unused_after };
    Some(subject.diagnosis(Confidence::Likely, missed, evidence))
}

/// Whether each connection had finished its unit of work when the next one was opened, stayed open, and was not used again.
fn are_left_unused(subject: Subject<'_>) -> bool {
    let units = subject.history.in_order(ClosedConnection::may_have_carried_requests);
    let pairs = units.len().saturating_sub(1);
    let is_left = |(one, next): &(&&ClosedConnection, &&ClosedConnection)| {
        one.is_brief() && one.last_used_ns() <= next.began_ns() && next.began_ns() < one.ended_ns()
    };
    let left = units.iter().zip(units.iter().skip(1)).filter(is_left).count();
    let most = units.iter().map(|unit| unit.exchanges()).max().unwrap_or(0);
    // Otherwise some open connection has carried more exchanges than any closed one.
    let is_all = subject.counts.exchanges() <= subject.counts.opened.saturating_mul(most);
    pairs as u64 >= MANY && left * 10 >= pairs * 9 && is_all
}
