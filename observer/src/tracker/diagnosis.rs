//! Why connections of a group were not reused, as far as what was counted can tell. Pure functions: counts and evidence in,
//! findings out. The signatures and their thresholds are here; what to do about each is in `advice.rs`.

mod patient;

use std::fmt::Write as _;

use super::{Counts, Evidence, Spoken, evidence::Ended};
use crate::event::{Application, Cause, Why};
pub(super) use patient::Patient;

/// What is fewer than these many shows no habit.
const FEW: u64 = 3;

/// From here on an idle connection may have been forgotten, and an age may be a setting: ten times what a request may take.
const LONG_IDLE_US: u64 = 1_000_000;
const LONG_LIFE_US: u64 = 10_000_000;

/// A peer sends up to this much that nobody has asked for: the goodbye of TLS; HTTP/2's GOAWAY, PING and WINDOW_UPDATE, in
/// two records.
const FAREWELL_BYTES: u64 = 128;

/// Processes of one name that make a crowd.
const CROWD: u64 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Finding {
    ResponseNotRead,
    ClosedAfterResponse,
    PoolTooSmall,
    ClientPerRequest,
    ProcessPerRequest,
    ServerClosesEach,
    ServerIdleTimeout,
    ClientIdleTimeout,
    StaleConnection,
    RequestCap,
    MaxLifetime,
    PortExhaustion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confidence {
    Certain,
    Likely,
    Possible,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    pub(crate) finding: Finding,
    pub(crate) confidence: Confidence,
    /// How it should be.
    pub(crate) healthy: bool,
    /// How many connections it explains.
    pub(crate) connections: u64,
    /// The numbers behind it, by name.
    pub(crate) values: Vec<(&'static str, u64)>,
    pub(crate) evidence: String,
    pub(crate) advice: String,
}

type Rule = fn(Patient<'_>) -> Option<Diagnosis>;

/// Their findings may be certain, and tell of something wrong. Each looks at a counter first, which says no for most groups:
/// they are asked of every group all the time.
const MAY_BE_CERTAIN: [Rule; 4] = [port_exhaustion, response_not_read, process_per_request, server_closes_each];

const NEVER_CERTAIN: [Rule; 8] = [
    client_per_request,
    pool_too_small,
    closed_after_response,
    server_idle_timeout,
    client_idle_timeout,
    stale_connection,
    request_cap,
    max_lifetime,
];

/// What is certain of a group, in no order.
pub(crate) fn certainties(patient: Patient<'_>) -> impl Iterator<Item = Diagnosis> {
    let found = MAY_BE_CERTAIN.into_iter().filter_map(move |rule| rule(patient));
    found.filter(|diagnosis| diagnosis.confidence == Confidence::Certain)
}

/// What can be said of a group, the surest first.
pub(crate) fn diagnose(patient: Patient<'_>) -> Vec<Diagnosis> {
    let rules = MAY_BE_CERTAIN.into_iter().chain(NEVER_CERTAIN);
    let mut found: Vec<Diagnosis> = rules.filter_map(|rule| rule(patient)).collect();
    let has = |finding| found.iter().any(|diagnosis| diagnosis.finding == finding);
    // Of what has a better explanation, the symptom alone is nothing new.
    // What the server is about to close, a client that is told so closes too, and is the first now and then.
    let is_servers = has(Finding::ServerClosesEach)
        && patient.closes(Cause::ServerClosedAfterResponse) >= patient.closes(Cause::ClosedAfterResponse);
    let is_explained = is_servers
        || [Finding::PoolTooSmall, Finding::ClientPerRequest, Finding::ProcessPerRequest].map(has).contains(&true);
    found.retain(|diagnosis| !(is_explained && diagnosis.finding == Finding::ClosedAfterResponse));
    found.sort_by_key(|diagnosis| (diagnosis.healthy, diagnosis.confidence as u8, u64::MAX - diagnosis.connections));
    found
}

fn port_exhaustion(patient: Patient<'_>) -> Option<Diagnosis> {
    let failed = patient.counts.failures[crate::event::Failure::AddressNotAvailable as usize];
    (failed > 0).then(|| {
        let evidence = format!("{} found no free local port", plural(failed, "connect", "connects"));
        patient.diagnosis(Finding::PortExhaustion, Confidence::Certain, failed, Vec::new(), evidence)
    })
}

/// Closed by this process with something unread. Where it is not known that a response was asked for, it may have been what
/// a peer says by itself, and what came after the close most likely was.
fn response_not_read(patient: Patient<'_>) -> Option<Diagnosis> {
    let grounds = patient.grounds(Cause::UnreadResponse, 1, left_a_response_unread)?;
    let unread = grounds.spread(patient, |ended| Some(ended.unread_bytes())).median();
    if grounds.confidence != Confidence::Certain && unread.unwrap_or(0) <= FAREWELL_BYTES {
        return None;
    }
    let mut evidence = format!("{} of {} closed by this process", grounds.number(), patient.counts.closed);
    if let Some(idle_us) = patient.idle_us(Cause::UnreadResponse) {
        let _ = write!(evidence, " {} after the last read", time(idle_us));
    }
    let _ = match unread {
        None => write!(evidence, ", with some of the response unread or still to come"),
        Some(0) => write!(evidence, ", while more of the response came"),
        Some(unread) => write!(evidence, ", {} unread", plural_of(unread, "byte", "bytes")),
    };
    let values = vec![("unread_bytes", unread.unwrap_or(0))];
    Some(patient.diagnosis(Finding::ResponseNotRead, grounds.confidence, grounds.closes, values, evidence))
}

/// Within TLS a peer says goodbye in return (`close_notify`), which comes after our close, or just before it.
fn left_a_response_unread(ended: &Ended) -> bool {
    ended.carried_requests() && (!ended.carried_encrypted_requests() || ended.unread_bytes() > FAREWELL_BYTES)
}

/// Many processes of one name, each with a connection of its own. One that was refused, or asked nothing, is none of them.
fn process_per_request(patient: Patient<'_>) -> Option<Diagnosis> {
    let Counts { opened, .. } = *patient.counts;
    let processes = patient.processes.filter(|processes| *processes >= CROWD)?;
    let has_asked = patient.counts.new >= CROWD;
    if !has_asked || opened > processes + processes / 5 {
        return None;
    }
    // Behind a login a request is one of several turns.
    let has_one_each = patient.counts.exchanges() <= opened + opened / 10;
    if !has_one_each && (patient.counts.is_exact() || !patient.evidence.is_a_task_each()) {
        return None;
    }
    // Its one exchange is the upgrade: how much such a connection was used is not counted.
    if patient.spoken == Spoken::One(Application::Websocket) {
        return None;
    }
    let (confidence, mark) =
        if patient.speaks_requests() { (Confidence::Certain, "") } else { (Confidence::Likely, "≈") };
    let exchanges = patient.counts.exchanges();
    let order = if has_one_each { "" } else { ", one after the other," };
    let evidence = format!("{processes} processes opened {opened} connections{order} for {mark}{exchanges} exchanges");
    let values = vec![("processes", processes)];
    Some(patient.diagnosis(Finding::ProcessPerRequest, confidence, opened, values, evidence))
}

/// Idle connections pile up, and new ones are opened beside them.
fn client_per_request(patient: Patient<'_>) -> Option<Diagnosis> {
    let (missed, opened) = (patient.why(Why::MissedReuse), patient.counts.opened);
    let idle = patient.evidence.most_idle_at_open;
    // A pool that is too small closes what it cannot keep.
    let closed = patient.closes(Cause::ClosedAfterResponse) + patient.closes(Cause::UnreadResponse);
    if missed < FEW || missed * 2 < opened || closed * 2 > missed || idle < FEW || !patient.minds(missed) {
        return None;
    }
    // A pool opens ahead, and uses later, or never, what it has opened.
    if patient.counts.reused >= missed || patient.counts.new < missed {
        return None;
    }
    let evidence = format!("{missed} of {opened} opened while idle ones were there, up to {idle} of them");
    let values = vec![("idle", idle)];
    Some(patient.diagnosis(Finding::ClientPerRequest, Confidence::Likely, missed, values, evidence))
}

/// What is too much for the pool is closed after its response, while so many as fit stay idle. What it lacked is opened
/// again: where no more were opened than were in use at once, nothing was closed that had been needed.
fn pool_too_small(patient: Patient<'_>) -> Option<Diagnosis> {
    let Counts { opened, pre_existing, .. } = *patient.counts;
    let closes = patient.closes(Cause::ClosedAfterResponse);
    let concurrent = patient.evidence.most_busy;
    if closes < FEW || opened + pre_existing <= concurrent || !patient.minds(closes) {
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
fn kept_idle(evidence: &Evidence) -> Option<u64> {
    let beside = evidence.of(Cause::ClosedAfterResponse, |ended| Some(ended.idle_beside()));
    let shut_down = beside.runs().find(|(idle, _)| *idle == 0).map_or(0, |(_, closes)| closes);
    beside.runs().find(|(_, closes)| *closes > shut_down).map(|(idle, _)| idle)
}

fn closed_after_response(patient: Patient<'_>) -> Option<Diagnosis> {
    let closes = patient.closes(Cause::ClosedAfterResponse);
    if closes < FEW || !patient.minds(closes) {
        return None;
    }
    let exchanges = patient.exchanges(Cause::ClosedAfterResponse);
    let turns = exchanges.median()?;
    let is_a_task_each = !patient.counts.is_exact() && patient.reopened() >= FEW && patient.evidence.is_a_task_each();
    if turns != 1 && !is_a_task_each {
        return None;
    }
    let mut evidence = format!("{closes} of {} closed by this process", patient.counts.closed);
    if let Some(idle_us) = patient.idle_us(Cause::ClosedAfterResponse) {
        let _ = write!(evidence, " {} after the response", time(idle_us));
    }
    let most = if exchanges.is_constant() { "" } else { "most " };
    let _ = match turns {
        1 => write!(evidence, ", {most}after one exchange"),
        _ => write!(evidence, ", {most}after {turns} turns"),
    };
    Some(patient.diagnosis(Finding::ClosedAfterResponse, Confidence::Possible, closes, Vec::new(), evidence))
}

/// Closed by the server after the first exchange. Where that may have been a turn of any kind, the protocol may want it so.
fn server_closes_each(patient: Patient<'_>) -> Option<Diagnosis> {
    let grounds = patient.grounds(Cause::ServerClosedAfterResponse, FEW, Ended::carried_requests)?;
    let exchanges = grounds.spread(patient, |ended| Some(ended.exchanges()));
    if exchanges.median() != Some(1) {
        return None;
    }
    let when = if grounds.confidence == Confidence::Certain { "with its first response" } else { "after one turn" };
    let separator = if exchanges.is_constant() { " " } else { ", most " };
    let evidence = format!("{} of {} closed by the server{separator}{when}", grounds.number(), patient.counts.closed);
    Some(patient.diagnosis(Finding::ServerClosesEach, grounds.confidence, grounds.closes, Vec::new(), evidence))
}

fn server_idle_timeout(patient: Patient<'_>) -> Option<Diagnosis> {
    idle_timeout(patient, Cause::ServerIdle, Finding::ServerIdleTimeout, "the server")
}

fn client_idle_timeout(patient: Patient<'_>) -> Option<Diagnosis> {
    idle_timeout(patient, Cause::ClientIdle, Finding::ClientIdleTimeout, "this process")
}

/// Closed after the same time each time, and opened anew: what is closed at the end, all of it at once, was needed no more.
fn idle_timeout(patient: Patient<'_>, cause: Cause, finding: Finding, who: &str) -> Option<Diagnosis> {
    let closes = patient.closes(cause);
    let replaced = closes.min(patient.reopened());
    if replaced < FEW || !patient.minds(replaced) {
        return None;
    }
    let idle = patient.evidence.of(cause, Ended::idle_us);
    let timeout_us = idle.median().filter(|_| idle.is_narrow())?;
    let (all, timeout) = (patient.counts.closed, time(timeout_us));
    let evidence = format!("{closes} of {all} closed by {who} when idle, at a median of {timeout}");
    let values = vec![("timeout_us", timeout_us)];
    Some(patient.diagnosis(finding, Confidence::Likely, closes, values, evidence))
}

/// A reset after a long idle time: the server, or something between, had forgotten the connection when it was used again.
fn stale_connection(patient: Patient<'_>) -> Option<Diagnosis> {
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

/// In use until the end, and of the same age then: a pool that replaces its connections now and then.
fn max_lifetime(patient: Patient<'_>) -> Option<Diagnosis> {
    [Cause::ClosedAfterResponse, Cause::ServerClosedAfterResponse].into_iter().find_map(|cause| {
        let ages = patient.evidence.of(cause, |ended| ended.lifetime_us().filter(|_| ended.exchanges() > 1));
        let age_us = ages.median().filter(|age_us| ages.is_narrow() && *age_us >= LONG_LIFE_US)?;
        let closes = patient.closes(cause);
        let evidence = format!("{closes} closed while in use, at a median age of {}", time(age_us));
        let values = vec![("lifetime_us", age_us)];
        Some(patient.diagnosis(Finding::MaxLifetime, Confidence::Possible, closes, values, evidence))
    })
}

/// The server closes after the same number of requests each time: so are servers set up.
fn request_cap(patient: Patient<'_>) -> Option<Diagnosis> {
    let closes = patient.closes(Cause::ServerClosedAfterResponse);
    let exchanges = patient.evidence.of(Cause::ServerClosedAfterResponse, |ended| Some(ended.exchanges()));
    let cap = exchanges.median().filter(|cap| *cap >= 10 && exchanges.len() >= 2 && exchanges.is_constant())?;
    let seen = exchanges.len();
    let evidence = format!("{closes} closed by the server, the last {seen} of them after {cap} exchanges each");
    Some(patient.diagnosis(Finding::RequestCap, Confidence::Likely, closes, vec![("cap", cap)], evidence))
}

fn plural(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("{n} {one}") } else { format!("{n} {many}") }
}

/// With its thousands apart.
fn plural_of(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(n), if n == 1 { one } else { many })
}

fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// As short as it is still told: `0.1 ms`, `12 ms`, `1.0 s`.
pub(super) fn time(us: u64) -> String {
    match us {
        0..10_000 => format!("{:.1} ms", us as f64 / 1e3),
        10_000..1_000_000 => format!("{} ms", us / 1000),
        _ => format!("{:.1} s", us as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests;
