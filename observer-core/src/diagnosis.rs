//! Why the connections of a group were not reused, judged by its counters and its history. A rule is a pure function
//! from a group to a diagnosis. The evidence of a diagnosis is numbers; views put them into words and add advice.
//!
//! The rules and their thresholds are in the modules, by subject.

mod closers;
mod evidence;
mod finding;
mod idle;
mod limits;
mod openers;
mod pool;
mod subject;
mod unit;
mod unread;

use crate::{
    model::{Application, Failure},
    runtime::Runtime,
};
pub use evidence::{Agreement, ClosesEach, Evidence, ExchangesEach, Leaver, ProcessEach, Share};
pub use finding::Finding;
pub use subject::Subject;

/// Fewer connections than this do not make a pattern.
const FEW: u64 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    Certain,
    Likely,
    Possible,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    pub confidence: Confidence,
    /// How many connections it explains.
    pub connections: u64,
    pub evidence: Evidence,
    /// The application protocol that the connections most likely speak, for the advice.
    pub application: Application,
    /// The runtime of the process, for the advice. None: unknown.
    pub runtime: Option<Runtime>,
}

impl Diagnosis {
    pub fn finding(&self) -> Finding {
        self.evidence.finding()
    }
}

type Rule = fn(Subject<'_>) -> Option<Diagnosis>;

/// Rules that can report a problem with certainty. They run for every group at every tick, so each first tests a
/// counter that is zero for most groups.
const MAY_BE_CERTAIN: [Rule; 4] =
    [port_exhaustion, unread::response_not_read, openers::process_per_request, closers::server_closes_each];

const NEVER_CERTAIN: [Rule; 8] = [
    openers::client_per_request,
    pool::pool_too_small,
    closers::closed_after_response,
    idle::server_idle_timeout,
    idle::client_idle_timeout,
    idle::stale_connection,
    limits::request_cap,
    limits::max_lifetime,
];

/// The certain diagnoses of a group, in no particular order.
pub fn certain_diagnoses(subject: Subject<'_>) -> impl Iterator<Item = Diagnosis> {
    let found = MAY_BE_CERTAIN.into_iter().filter_map(move |rule| rule(subject));
    found.filter(|diagnosis| diagnosis.confidence == Confidence::Certain)
}

/// All diagnoses of a group: problems first, then by confidence, then by the number of connections.
pub fn diagnose(subject: Subject<'_>) -> Vec<Diagnosis> {
    let rules = MAY_BE_CERTAIN.into_iter().chain(NEVER_CERTAIN);
    let mut found: Vec<Diagnosis> = rules.filter_map(|rule| rule(subject)).collect();
    closers::keep_best_explanation(subject, &mut found);
    found.sort_by_key(|diagnosis| {
        (diagnosis.finding().is_healthy(), diagnosis.confidence as u8, u64::MAX - diagnosis.connections)
    });
    found
}

fn port_exhaustion(subject: Subject<'_>) -> Option<Diagnosis> {
    let failed = subject.counts.failures[Failure::AddressNotAvailable as usize];
    let evidence = Evidence::NoLocalPort { connects: failed };
    (failed > 0).then(|| subject.diagnosis(Confidence::Certain, failed, evidence))
}

#[cfg(test)]
mod tests;
