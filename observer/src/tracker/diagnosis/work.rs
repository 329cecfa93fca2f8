//! A connection for each unit of work: a login, a few exchanges and a goodbye, and a moment later the same on another
//! connection. One that is kept would have done. Who is named for it depends on who opens and who closes.
//!
//! After how many exchanges it is closed tells nothing by itself: with a protocol that begins with a login, a single
//! command takes several turns, and a session of HTTP for each job has as many as the job has requests. What tells is that
//! connections are brief and that others take their place at once, several times over.

use std::fmt::Write as _;

use tcp_reuse_watch_ebpf::IDLE_US;

use super::{
    Confidence, Diagnosis, FEW, Finding, Patient,
    idle::LONG_IDLE_US,
    unread::FAREWELL_BYTES,
    words::{after, time},
};
use crate::{
    event::{Application, Cause, Why},
    tracker::{
        Counts, Spoken,
        evidence::{Ended, Spread},
    },
};

/// Processes of one name that make a crowd.
const CROWD: u64 = 5;

/// Units come in rounds, of as many as there are at once. A pool that is opened anew, or workers that are restarted, make
/// two or three.
const ROUNDS: u64 = 4;

/// What is opened again later than this may be a check that comes by now and then.
const SOON_NS: i64 = 1_000_000_000;

/// A server that closes after more exchanges than these may limit them.
const FEWER_THAN_A_CAP: u64 = 9;

/// Whether those that are such, so many of which have ended, served a unit of work each.
fn is_a_unit_each(patient: Patient<'_>, closes: u64, is_such: impl Fn(&Ended) -> bool) -> bool {
    let units = patient.evidence.in_order(is_such);
    let brief = units.iter().filter(|unit| unit.is_brief()).count();
    let enough = ROUNDS * most_at_once(&units);
    units.len() as u64 >= ROUNDS && closes >= enough && brief * 4 >= units.len() * 3 && follow_soon(&units)
}

/// How many of them were open at once.
fn most_at_once(units: &[&Ended]) -> u64 {
    let open_at = |at: i64| units.iter().filter(|unit| (unit.began_ns()..unit.ended_ns()).contains(&at)).count() as u64;
    units.iter().map(|unit| open_at(unit.began_ns())).max().unwrap_or(0).max(1)
}

/// Whether most of them began soon after another one had ended.
fn follow_soon(units: &[&Ended]) -> bool {
    let pauses_ns = units.iter().filter_map(|next| {
        let ended = units.iter().map(|unit| unit.ended_ns()).filter(|ended| *ended <= next.began_ns()).max()?;
        Some(next.began_ns() - ended)
    });
    let (soon, late): (Vec<i64>, Vec<i64>) = pauses_ns.partition(|pause_ns| *pause_ns <= SOON_NS);
    soon.len() >= FEW as usize && soon.len() >= late.len() * 3
}

/// Connections that this process has left after a response.
struct Left {
    closes: u64,
    by_server: u64,
    is_such: fn(Patient<'_>, &Ended) -> bool,
}

impl Left {
    /// Closed by this process, or by the server because this process had said goodbye.
    fn after_a_response(patient: Patient<'_>) -> Self {
        let is_such = |patient: Patient<'_>, ended: &Ended| match ended.cause {
            Cause::ClosedAfterResponse => ended.may_have_carried_requests(),
            Cause::ServerClosedAfterResponse => patient.says_goodbye(),
            _ => false,
        };
        let by_server = if patient.says_goodbye() { patient.closes(Cause::ServerClosedAfterResponse) } else { 0 };
        Self { closes: patient.closes(Cause::ClosedAfterResponse) + by_server, by_server, is_such }
    }

    /// The same, and those where something that nobody had asked for was left unread, or nothing but a login was answered.
    fn in_any_way(patient: Patient<'_>) -> Self {
        let is_such = |patient: Patient<'_>, ended: &Ended| match ended.cause {
            Cause::UnreadResponse => is_farewell(ended),
            Cause::Unused => ended.may_have_announced(),
            _ => (Self::after_a_response(patient).is_such)(patient, ended),
        };
        let left = Self::after_a_response(patient);
        let others = patient.closes_of(Cause::UnreadResponse, is_farewell) + announcements(patient);
        Self { closes: left.closes + others, is_such, ..left }
    }

    fn spread(&self, patient: Patient<'_>, number: fn(&Ended) -> Option<u64>) -> Spread {
        patient.evidence.spread(|ended| number(ended).filter(|_| (self.is_such)(patient, ended)))
    }

    fn exchanges(&self, patient: Patient<'_>) -> Spread {
        self.spread(patient, |ended| Some(ended.exchanges()))
    }

    /// Whether there are enough, and others took their place: those that were open at once may all end when all is done.
    fn are_a_habit(&self, patient: Patient<'_>) -> bool {
        let at_once = most_at_once(&patient.evidence.in_order(|ended| (self.is_such)(patient, ended)));
        self.closes >= FEW && self.closes >= 2 * at_once && patient.minds(self.closes)
    }

    fn are_a_unit_each(&self, patient: Patient<'_>) -> bool {
        self.are_a_habit(patient)
            && patient.reopened() >= FEW
            && is_a_unit_each(patient, self.closes, |ended| (self.is_such)(patient, ended))
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

/// Connections to a broker on which nothing but the login was answered: messages need no answer.
fn announcements(patient: Patient<'_>) -> u64 {
    match patient.evidence.count(Cause::Unused, Ended::may_have_announced) {
        0 => 0,
        _ => patient.closes_of(Cause::Unused, Ended::may_have_announced),
    }
}

/// Where it is not known that a response was asked for, a few bytes are what a peer says by itself.
fn is_farewell(ended: &Ended) -> bool {
    !ended.is_exact() && ended.unread_bytes() <= FAREWELL_BYTES
}

/// Left after a single exchange each, or after a unit of work each.
pub(super) fn closed_after_response(patient: Patient<'_>) -> Option<Diagnosis> {
    let left = Left::after_a_response(patient);
    let has_one_each = left.are_a_habit(patient) && left.exchanges(patient).median() == Some(1);
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

/// Many processes of one name, each with a connection of its own. One that was refused, or asked nothing, is none of them.
pub(super) fn process_per_request(patient: Patient<'_>) -> Option<Diagnosis> {
    let Counts { opened, closed, .. } = *patient.counts;
    let processes = patient.processes.filter(|processes| *processes >= CROWD)?;
    let has_asked = patient.counts.new + announcements(patient) >= CROWD;
    if !has_asked || opened > processes + processes / 5 {
        return None;
    }
    let exchanges = patient.counts.exchanges();
    let has_one_each = exchanges <= opened + opened / 10;
    let is_found = if has_one_each {
        !are_workers(patient)
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

/// Closed by the server after the first exchange. Where that may have been a turn of any kind, the protocol may want it so;
/// there it may also be after several, which log in and ask. A server that is asked to close has no part in it.
pub(super) fn server_closes_each(patient: Patient<'_>) -> Option<Diagnosis> {
    if patient.says_goodbye() {
        return None;
    }
    let grounds = patient.grounds(Cause::ServerClosedAfterResponse, FEW, Ended::carried_requests)?;
    let exchanges = grounds.spread(patient, |ended| Some(ended.exchanges()));
    let is_certain = grounds.confidence == Confidence::Certain;
    let separator = if exchanges.is_constant() { " " } else { ", most " };
    let when = match exchanges.median()? {
        1 if is_certain => format!("{separator}with its first response"),
        1 => format!("{separator}after one turn"),
        turns if !is_certain && turns <= FEWER_THAN_A_CAP && is_a_unit_each_of_the_servers(patient, grounds.closes) => {
            format!(" {}", after(&exchanges, false))
        }
        _ => return None,
    };
    let evidence = format!("{} of {} closed by the server{when}", grounds.number(), patient.counts.closed);
    Some(patient.diagnosis(Finding::ServerClosesEach, grounds.confidence, grounds.closes, Vec::new(), evidence))
}

fn is_a_unit_each_of_the_servers(patient: Patient<'_>, closes: u64) -> bool {
    let is_such = |ended: &Ended| ended.cause == Cause::ServerClosedAfterResponse && ended.may_have_carried_requests();
    patient.reopened() >= FEW && is_a_unit_each(patient, closes, is_such)
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
