//! Connections that ended at a configured limit. These are healthy.

use super::{Confidence, Diagnosis, Evidence, Subject};
use crate::model::Cause;

/// A shorter lifetime is not a setting.
const LONG_LIFE_US: u64 = 10_000_000;

/// Fewer exchanges than this are not a cap.
const LEAST_CAP: u64 = 10;

/// Connections that were in use until the end and ended at the same age: a pool recycles its connections.
pub(super) fn max_lifetime(subject: Subject<'_>) -> Option<Diagnosis> {
    [Cause::ClosedAfterResponse, Cause::ServerClosedAfterResponse].into_iter().find_map(|cause| {
        let ages = subject.history.of(cause, |closed| closed.lifetime_us().filter(|_| closed.exchanges() > 1));
        let lifetime_us = ages.median().filter(|age_us| ages.is_narrow() && *age_us >= LONG_LIFE_US)?;
        let closes = subject.closes(cause);
        let evidence = Evidence::Age { closes, lifetime_us };
        Some(subject.diagnosis(Confidence::Possible, closes, evidence))
    })
}

/// The server closes each connection after the same number of requests, as many servers are configured to.
pub(super) fn request_cap(subject: Subject<'_>) -> Option<Diagnosis> {
    if subject.says_goodbye() {
        return None;
    }
    let closes = subject.closes(Cause::ServerClosedAfterResponse);
    let exchanges = subject.history.of(Cause::ServerClosedAfterResponse, |closed| Some(closed.exchanges()));
    let seen = exchanges.len();
    let cap = exchanges.median().filter(|cap| *cap >= LEAST_CAP && seen >= 2 && exchanges.is_constant())?;
    let evidence = Evidence::Cap { closes, seen, cap };
    Some(subject.diagnosis(Confidence::Likely, closes, evidence))
}
