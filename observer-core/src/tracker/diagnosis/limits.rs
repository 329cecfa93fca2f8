//! What ends connections as it was set up to, for all that can be told: nothing is wrong.

use super::{Confidence, Diagnosis, Finding, Patient, words::time};
use crate::model::Cause;

/// From here on an age may be a setting.
const LONG_LIFE_US: u64 = 10_000_000;

/// In use until the end, and of the same age then: a pool that replaces its connections now and then.
pub(super) fn max_lifetime(patient: Patient<'_>) -> Option<Diagnosis> {
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
pub(super) fn request_cap(patient: Patient<'_>) -> Option<Diagnosis> {
    if patient.says_goodbye() {
        return None;
    }
    let closes = patient.closes(Cause::ServerClosedAfterResponse);
    let exchanges = patient.evidence.of(Cause::ServerClosedAfterResponse, |ended| Some(ended.exchanges()));
    let cap = exchanges.median().filter(|cap| *cap >= 10 && exchanges.len() >= 2 && exchanges.is_constant())?;
    let seen = exchanges.len();
    let evidence = format!("{closes} closed by the server, the last {seen} of them after {cap} exchanges each");
    Some(patient.diagnosis(Finding::RequestCap, Confidence::Likely, closes, vec![("cap", cap)], evidence))
}
