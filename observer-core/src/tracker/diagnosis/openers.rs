//! Who opens a connection for each unit of work: a process each, or a client each.

use std::fmt::Write as _;

use tcp_reuse_watch_ebpf::IDLE_US;

use super::{
    Confidence, Diagnosis, FEW, Finding, Patient,
    idle::LONG_IDLE_US,
    unit::{announcements, are_checks, are_rare, is_a_unit_each, most_at_once},
    words::after,
};
use crate::{
    model::{Application, Cause, Why},
    tracker::{Counts, Spoken, evidence::Ended},
};

/// Processes of one name that make a crowd.
const CROWD: u64 = 5;

/// Many processes of one name, each with a connection of its own. One that was refused, or asked nothing, is none of them.
pub(super) fn process_per_request(patient: Patient<'_>) -> Option<Diagnosis> {
    let Counts { opened, closed, .. } = *patient.counts;
    let processes = patient.processes.filter(|processes| *processes >= CROWD)?;
    let has_asked = patient.counts.new + announcements(patient) >= CROWD;
    // Most of them have ended: those that run may yet use their connection again.
    let are_over = patient.counts.open() * 2 <= opened;
    if !has_asked || !are_over || opened > processes + processes / 5 {
        return None;
    }
    let exchanges = patient.counts.exchanges();
    let has_one_each = exchanges <= opened + opened / 10;
    let is_found = if has_one_each {
        !are_workers(patient) && !are_checks(patient, |_| true) && !are_rare(patient, |_| true)
    } else {
        is_a_unit_each(patient, closed, Ended::may_have_carried_requests)
    };
    // The one exchange of a WebSocket is the upgrade: how much such a connection was used is not counted.
    if !is_found || patient.spoken == Spoken::One(Application::Websocket) {
        return None;
    }
    let is_certain = has_one_each && patient.speaks_requests();
    let confidence = if is_certain { Confidence::Certain } else { Confidence::Likely };
    let mark = if patient.counts.is_exact() { "" } else { "≈" };
    let (order, each) = if has_one_each {
        ("", String::new())
    } else {
        let units = patient.evidence.in_order(Ended::may_have_carried_requests);
        let order = if most_at_once(&units) == 1 { ", one after the other," } else { "" };
        let exchanges = patient.evidence.spread(|ended| Some(ended.exchanges()));
        (order, format!(", closed {}", after(&exchanges, patient.counts.is_exact())))
    };
    let for_what = match exchanges {
        0 => "to log in and send what needs no answer".into(),
        _ => format!("for {mark}{exchanges} exchanges{each}"),
    };
    let evidence = format!("{processes} processes opened {opened} connections{order} {for_what}");
    let values = vec![("processes", processes)];
    Some(patient.diagnosis(Finding::ProcessPerRequest, confidence, opened, values, evidence))
}

/// Whether processes ran side by side and kept their connections beyond what they asked: those of a server, or subscribers,
/// whose turn is the subscription.
fn are_workers(patient: Patient<'_>) -> bool {
    let ended = patient.evidence.in_order(Ended::may_have_carried_requests);
    let is_side_by_side = most_at_once(&ended) * 2 > ended.len() as u64;
    let most = |number: fn(&Ended) -> Option<u64>| patient.evidence.spread(number).median().unwrap_or(0);
    let may_have_subscribed = !patient.counts.is_exact() && most(Ended::lifetime_us) > LONG_IDLE_US;
    !ended.is_empty() && is_side_by_side && (may_have_subscribed || most(Ended::idle_us) >= IDLE_US)
}

/// Idle connections pile up, and new ones are opened beside them.
pub(super) fn client_per_request(patient: Patient<'_>) -> Option<Diagnosis> {
    let (missed, opened) = (patient.why(Why::MissedReuse), patient.counts.opened);
    let idle = patient.evidence.most_idle_at_open;
    if missed < FEW || missed * 2 < opened || idle < FEW || !patient.minds(missed) {
        return None;
    }
    // A pool opens ahead, and uses later, or never, what it has opened; one that is too small closes what it cannot keep.
    let closed = patient.closes(Cause::ClosedAfterResponse) + patient.closes(Cause::UnreadResponse);
    let has_one_each = patient.counts.reused < missed && patient.counts.new >= missed && closed * 2 <= missed;
    let mut evidence = format!("{missed} of {opened} opened while idle ones were there, up to {idle} of them");
    if !has_one_each {
        if !are_left_for_the_next(patient) {
            return None;
        }
        let exchanges = patient.evidence.spread(|ended| Some(ended.exchanges()));
        let _ = write!(evidence, ", not used again {}", after(&exchanges, patient.counts.is_exact()));
    }
    let values = vec![("idle", idle)];
    Some(patient.diagnosis(Finding::ClientPerRequest, Confidence::Likely, missed, values, evidence))
}

/// Whether each connection had served its unit of work when the next one was opened, and was kept open, and never used again.
fn are_left_for_the_next(patient: Patient<'_>) -> bool {
    let units = patient.evidence.in_order(Ended::may_have_carried_requests);
    let pairs = units.len().saturating_sub(1);
    let is_left = |(one, next): &(&&Ended, &&Ended)| {
        one.is_brief() && one.last_used_ns() <= next.began_ns() && next.began_ns() < one.ended_ns()
    };
    let left = units.iter().zip(units.iter().skip(1)).filter(is_left).count();
    let most = units.iter().map(|unit| unit.exchanges()).max().unwrap_or(0);
    // Those that are still open have done no more.
    let is_all = patient.counts.exchanges() <= patient.counts.opened * most;
    pairs as u64 >= CROWD && left * 10 >= pairs * 9 && is_all
}
