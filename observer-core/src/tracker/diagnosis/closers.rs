//! Who closes a connection when a unit of work is done: this process, or the server.

use std::fmt::Write as _;

use super::{
    Confidence, Diagnosis, FEW, Finding, Patient,
    idle::LONG_IDLE_US,
    unit::{announcements, are_checks, are_rare, is_a_unit_each, most_at_once},
    unread::FAREWELL_BYTES,
    words::{after, time},
};
use crate::{
    model::Cause,
    tracker::evidence::{Ended, Spread},
};

/// A server that closes after more exchanges than these may limit them.
const FEWER_THAN_A_CAP: u64 = 9;

/// Connections that this process has left after a response.
struct Left {
    closes: u64,
    by_server: u64,
    says_goodbye: bool,
    is_such: fn(&Ended, says_goodbye: bool) -> bool,
}

impl Left {
    /// Closed by this process, or by the server because this process had said goodbye.
    fn after_a_response(patient: Patient<'_>) -> Self {
        let says_goodbye = patient.says_goodbye();
        let by_server = if says_goodbye { patient.closes(Cause::ServerClosedAfterResponse) } else { 0 };
        let closes = patient.closes(Cause::ClosedAfterResponse) + by_server;
        Self { closes, by_server, says_goodbye, is_such: is_left_after_a_response }
    }

    /// The same, and those where something that nobody had asked for was left unread, or nothing but a login was answered.
    fn in_any_way(patient: Patient<'_>) -> Self {
        let is_such = |ended: &Ended, says_goodbye: bool| match ended.cause {
            Cause::UnreadResponse => is_farewell(ended),
            Cause::Unused => ended.may_have_announced(),
            _ => is_left_after_a_response(ended, says_goodbye),
        };
        let left = Self::after_a_response(patient);
        let others = patient.closes_of(Cause::UnreadResponse, is_farewell) + announcements(patient);
        Self { closes: left.closes + others, is_such, ..left }
    }

    fn is_such(&self, ended: &Ended) -> bool {
        (self.is_such)(ended, self.says_goodbye)
    }

    fn spread(&self, patient: Patient<'_>, number: fn(&Ended) -> Option<u64>) -> Spread {
        patient.evidence.spread(|ended| number(ended).filter(|_| self.is_such(ended)))
    }

    fn exchanges(&self, patient: Patient<'_>) -> Spread {
        self.spread(patient, |ended| Some(ended.exchanges()))
    }

    /// Whether there are enough, and others took their place: those that were open at once may all end when all is done.
    fn are_a_habit(&self, patient: Patient<'_>) -> bool {
        // Of as many as there were at once, not all may be remembered.
        let at_once =
            || most_at_once(&patient.evidence.in_order(|ended| self.is_such(ended))).max(patient.evidence.most_busy);
        self.closes >= FEW
            && patient.minds(self.closes)
            && !patient.needed_all()
            && self.closes >= 2 * at_once()
            && !are_checks(patient, |ended| self.is_such(ended))
    }

    fn are_a_unit_each(&self, patient: Patient<'_>) -> bool {
        self.are_a_habit(patient)
            && patient.reopened() >= FEW
            && is_a_unit_each(patient, self.closes, |ended| self.is_such(ended))
    }

    fn evidence(&self, patient: Patient<'_>) -> String {
        let is_exact = self.spread(patient, |ended| (!ended.is_exact()).then_some(1)).len() == 0;
        let who = match self.by_server {
            0 => "by this process",
            all if all == self.closes => "by the server, most likely at the goodbye of this process,",
            _ => "by this process, or at its goodbye by the server,",
        };
        let mut evidence = format!("{} of {} closed {who}", self.closes, patient.counts.closed);
        if let Some(idle_us) = self.spread(patient, Ended::idle_us).median() {
            let _ = write!(evidence, " {} after the response", time(idle_us));
        }
        let _ = write!(evidence, ", {}", after(&self.exchanges(patient), is_exact));
        evidence
    }
}

fn is_left_after_a_response(ended: &Ended, says_goodbye: bool) -> bool {
    match ended.cause {
        Cause::ClosedAfterResponse => ended.may_have_carried_requests(),
        Cause::ServerClosedAfterResponse => says_goodbye,
        _ => false,
    }
}

/// Where it is not known that a response was asked for, a few bytes are what a peer says by itself.
fn is_farewell(ended: &Ended) -> bool {
    !ended.is_exact() && ended.unread_bytes() <= FAREWELL_BYTES
}

/// Left after a single exchange each, or after a unit of work each.
pub(super) fn closed_after_response(patient: Patient<'_>) -> Option<Diagnosis> {
    let left = Left::after_a_response(patient);
    let has_one_each = left.are_a_habit(patient)
        && left.exchanges(patient).median() == Some(1)
        && !are_rare(patient, |ended| left.is_such(ended));
    let left = if has_one_each {
        left
    } else {
        Some(Left::in_any_way(patient)).filter(|left| left.are_a_unit_each(patient))?
    };
    let evidence = left.evidence(patient);
    Some(patient.diagnosis(Finding::ClosedAfterResponse, Confidence::Possible, left.closes, Vec::new(), evidence))
}

/// Whether units of work account for all exchanges: no connection was kept for others.
pub(super) fn leaves_nothing_in_use(patient: Patient<'_>) -> bool {
    let left = Left::after_a_response(patient);
    let Some(each) = left.exchanges(patient).median() else { return false };
    let explained = (left.closes + 1) * each;
    let is_all = patient.counts.exchanges() * 10 <= explained * 11;
    is_all && (each > 1 || patient.counts.reused == 0) && left.are_a_unit_each(patient)
}

/// Closed by the server after the first exchange. Where that may have been a turn of any kind, the protocol may want it so;
/// there it may also be after several, which log in and ask. A server that is asked to close has no part in it.
pub(super) fn server_closes_each(patient: Patient<'_>) -> Option<Diagnosis> {
    let grounds = patient.grounds(Cause::ServerClosedAfterResponse, FEW, Ended::carried_requests)?;
    let is_such = |ended: &Ended| ended.cause == Cause::ServerClosedAfterResponse;
    let exchanges = grounds.spread(patient, |ended| Some(ended.exchanges()));
    let may_be_a_cap = exchanges.median()? > FEWER_THAN_A_CAP;
    if may_be_a_cap
        || patient.says_goodbye()
        || patient.resets(grounds.closes)
        || are_checks(patient, is_such)
        || are_rare(patient, is_such)
    {
        return None;
    }
    let is_certain = grounds.confidence == Confidence::Certain;
    let separator = if exchanges.is_constant() { " " } else { ", most " };
    let when = match exchanges.median()? {
        1 if is_certain => format!("{separator}with its first response"),
        1 => format!("{separator}after one turn"),
        _ if !is_certain && is_a_unit_each_of_the_servers(patient, grounds.closes) => {
            format!(" {}", after(&exchanges, false))
        }
        _ => return None,
    };
    let evidence = format!("{} of {} closed by the server{when}", grounds.number(), patient.counts.closed);
    Some(patient.diagnosis(Finding::ServerClosesEach, grounds.confidence, grounds.closes, Vec::new(), evidence))
}

/// One that closes at a certain age limits that.
fn is_a_unit_each_of_the_servers(patient: Patient<'_>, closes: u64) -> bool {
    let is_such = |ended: &Ended| ended.cause == Cause::ServerClosedAfterResponse && ended.may_have_carried_requests();
    let ages = patient.evidence.of(Cause::ServerClosedAfterResponse, Ended::lifetime_us);
    let has_an_age = ages.is_narrow() && ages.median() >= Some(LONG_IDLE_US);
    patient.reopened() >= FEW && !has_an_age && is_a_unit_each(patient, closes, is_such)
}

/// Of what has a better explanation, the symptom alone is nothing new.
pub(super) fn keep_one_name_for_a_habit(patient: Patient<'_>, found: &mut Vec<Diagnosis>) {
    let has = |finding| found.iter().any(|diagnosis| diagnosis.finding == finding);
    let is_openers =
        [Finding::PoolTooSmall, Finding::ClientPerRequest, Finding::ProcessPerRequest].map(has).contains(&true);
    // What the server is about to close, a client that is told so closes too, and is the first now and then; and the other
    // way round, where one of both says goodbye.
    let is_servers = has(Finding::ServerClosesEach)
        && patient.closes(Cause::ServerClosedAfterResponse) >= patient.closes(Cause::ClosedAfterResponse);
    let is_clients = has(Finding::ClosedAfterResponse) && !is_servers;
    found.retain(|diagnosis| match diagnosis.finding {
        Finding::ClosedAfterResponse => !is_openers && !is_servers,
        Finding::ServerClosesEach if diagnosis.confidence != Confidence::Certain => !is_openers && !is_clients,
        _ => true,
    });
}
