//! Why connections of a group were not reused, as far as what was counted can tell. Pure functions: counts and evidence in,
//! findings out. The signatures and their thresholds are here; what to do about each is in `advice.rs`.

use std::fmt::Write as _;

use super::{Counts, Evidence, advice::advice, evidence::Ended};
use crate::{
    event::{Cause, Why},
    runtime::Runtime,
};

/// What is fewer than these many shows no habit.
const FEW: u64 = 3;

/// More exchanges than these for each that went wrong, and the group is doing well.
const GOOD_RATIO: u64 = 20;

/// From here on an idle connection may have been forgotten, and an age may be a setting: ten times what a request may take.
const LONG_IDLE_US: u64 = 1_000_000;
const LONG_LIFE_US: u64 = 10_000_000;

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

/// What is known of a group.
#[derive(Clone, Copy)]
pub(crate) struct Patient<'a> {
    pub(crate) counts: &'a Counts,
    pub(crate) evidence: &'a Evidence,
    pub(crate) runtime: Option<Runtime>,
    /// How many processes of one name; None if that is not known.
    pub(crate) processes: Option<u64>,
}

type Rule = fn(Patient<'_>) -> Option<Diagnosis>;

/// Their findings are certain, and tell of something wrong. Each looks at a counter first, which says no for most groups:
/// they are asked of every group all the time.
const CERTAIN: [Rule; 4] = [port_exhaustion, response_not_read, process_per_request, server_closes_each];

const UNCERTAIN: [Rule; 8] = [
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
    CERTAIN.into_iter().filter_map(move |rule| rule(patient))
}

/// What can be said of a group, the surest first.
pub(crate) fn diagnose(patient: Patient<'_>) -> Vec<Diagnosis> {
    let uncertain = UNCERTAIN.into_iter().filter_map(|rule| rule(patient));
    let mut found: Vec<Diagnosis> = certainties(patient).chain(uncertain).collect();
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

impl Patient<'_> {
    fn closes(self, cause: Cause) -> u64 {
        self.counts.closes[cause as usize]
    }

    fn why(self, why: Why) -> u64 {
        self.counts.why[why as usize]
    }

    /// Whether so many connections that went wrong are worth a word.
    fn minds(self, connections: u64) -> bool {
        connections * GOOD_RATIO > self.counts.exchanges()
    }

    /// Connections that had to be opened although there had been as many before: those that take the place of closed
    /// ones. The others are as many as were in use at once, or were opened ahead.
    fn reopened(self) -> u64 {
        let needed = self.why(Why::Replaced) + self.why(Why::Concurrency);
        needed.saturating_sub(self.evidence.most_busy.saturating_sub(1))
    }

    /// Connections in this middle had one exchange.
    fn had_one_exchange(self, cause: Cause) -> bool {
        self.evidence.of(cause, |ended| Some(ended.exchanges())).median() == Some(1)
    }

    fn idle_us(self, cause: Cause) -> Option<u64> {
        self.evidence.of(cause, Ended::idle_us).median()
    }

    fn diagnosis(
        self,
        finding: Finding,
        confidence: Confidence,
        connections: u64,
        values: Vec<(&'static str, u64)>,
        evidence: String,
    ) -> Diagnosis {
        let advice = advice(finding, self.runtime, &values);
        let healthy = matches!(finding, Finding::RequestCap | Finding::MaxLifetime);
        Diagnosis { finding, confidence, healthy, connections, values, evidence, advice }
    }
}

fn port_exhaustion(patient: Patient<'_>) -> Option<Diagnosis> {
    let failed = patient.counts.failures[crate::event::Failure::AddressNotAvailable as usize];
    (failed > 0).then(|| {
        let evidence = format!("{} found no free local port", plural(failed, "connect", "connects"));
        patient.diagnosis(Finding::PortExhaustion, Confidence::Certain, failed, Vec::new(), evidence)
    })
}

fn response_not_read(patient: Patient<'_>) -> Option<Diagnosis> {
    let closes = patient.closes(Cause::UnreadResponse);
    if closes == 0 || !patient.minds(closes) {
        return None;
    }
    let unread = patient.evidence.of(Cause::UnreadResponse, |ended| Some(ended.unread_bytes())).median().unwrap_or(0);
    let mut evidence = format!("{closes} of {} closed by this process", patient.counts.closed);
    if let Some(idle_us) = patient.idle_us(Cause::UnreadResponse) {
        let _ = write!(evidence, " {} after the last read", time(idle_us));
    }
    let _ = match unread {
        0 => write!(evidence, ", while more of the response came"),
        _ => write!(evidence, ", {} unread", plural_of(unread, "byte", "bytes")),
    };
    let values = vec![("unread_bytes", unread)];
    Some(patient.diagnosis(Finding::ResponseNotRead, Confidence::Certain, closes, values, evidence))
}

/// Many processes of one name, each with a connection of its own. One that was refused, or asked nothing, is none of them.
fn process_per_request(patient: Patient<'_>) -> Option<Diagnosis> {
    let Counts { opened, .. } = *patient.counts;
    let processes = patient.processes.filter(|processes| *processes >= CROWD)?;
    let has_asked = patient.counts.new >= CROWD;
    if !has_asked || opened > processes + processes / 5 || patient.counts.exchanges() > opened + opened / 10 {
        return None;
    }
    let evidence =
        format!("{processes} processes opened {opened} connections for {} exchanges", patient.counts.exchanges());
    let values = vec![("processes", processes)];
    Some(patient.diagnosis(Finding::ProcessPerRequest, Confidence::Certain, opened, values, evidence))
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
    if closes < FEW || !patient.had_one_exchange(Cause::ClosedAfterResponse) || !patient.minds(closes) {
        return None;
    }
    let mut evidence = format!("{closes} of {} closed by this process", patient.counts.closed);
    if let Some(idle_us) = patient.idle_us(Cause::ClosedAfterResponse) {
        let _ = write!(evidence, " {} after the response", time(idle_us));
    }
    evidence.push_str(", after one exchange");
    Some(patient.diagnosis(Finding::ClosedAfterResponse, Confidence::Possible, closes, Vec::new(), evidence))
}

fn server_closes_each(patient: Patient<'_>) -> Option<Diagnosis> {
    let closes = patient.closes(Cause::ServerClosedAfterResponse);
    if closes < FEW || !patient.had_one_exchange(Cause::ServerClosedAfterResponse) || !patient.minds(closes) {
        return None;
    }
    let evidence = format!("{closes} of {} closed by the server with its first response", patient.counts.closed);
    Some(patient.diagnosis(Finding::ServerClosesEach, Confidence::Certain, closes, Vec::new(), evidence))
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
