//! Why connections of a group were not reused, as far as what was counted can tell. Pure functions: counts and evidence in,
//! findings out. The signatures and their thresholds are in the modules, by subject; what to do about each is in `advice.rs`.

mod closers;
mod idle;
mod limits;
mod openers;
mod patient;
mod pool;
mod unit;
mod unread;
mod words;

pub(super) use patient::Patient;
pub(super) use words::time;

/// What is fewer than these many shows no habit.
const FEW: u64 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finding {
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
pub enum Confidence {
    Certain,
    Likely,
    Possible,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    pub finding: Finding,
    pub confidence: Confidence,
    /// How it should be.
    pub healthy: bool,
    /// How many connections it explains.
    pub connections: u64,
    /// The numbers behind it, by name.
    pub values: Vec<(&'static str, u64)>,
    pub evidence: String,
    pub advice: String,
}

type Rule = fn(Patient<'_>) -> Option<Diagnosis>;

/// Their findings may be certain, and tell of something wrong. Each looks at a counter first, which says no for most groups:
/// they are asked of every group all the time.
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

/// What is certain of a group, in no order.
pub fn certainties(patient: Patient<'_>) -> impl Iterator<Item = Diagnosis> {
    let found = MAY_BE_CERTAIN.into_iter().filter_map(move |rule| rule(patient));
    found.filter(|diagnosis| diagnosis.confidence == Confidence::Certain)
}

/// What can be said of a group, the surest first.
pub fn diagnose(patient: Patient<'_>) -> Vec<Diagnosis> {
    let rules = MAY_BE_CERTAIN.into_iter().chain(NEVER_CERTAIN);
    let mut found: Vec<Diagnosis> = rules.filter_map(|rule| rule(patient)).collect();
    closers::keep_one_name_for_a_habit(patient, &mut found);
    found.sort_by_key(|diagnosis| (diagnosis.healthy, diagnosis.confidence as u8, u64::MAX - diagnosis.connections));
    found
}

fn port_exhaustion(patient: Patient<'_>) -> Option<Diagnosis> {
    let failed = patient.counts.failures[crate::model::Failure::AddressNotAvailable as usize];
    (failed > 0).then(|| {
        let evidence = format!("{} found no free local port", words::plural(failed, "connect", "connects"));
        patient.diagnosis(Finding::PortExhaustion, Confidence::Certain, failed, Vec::new(), evidence)
    })
}

#[cfg(test)]
mod tests;
