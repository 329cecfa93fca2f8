//! Responses that were asked for and not read to their end.

use std::fmt::Write as _;

use super::{
    Confidence, Diagnosis, Finding, Patient,
    words::{plural_of, time},
};
use crate::{model::Cause, tracker::evidence::Ended};

/// A peer sends up to this much that nobody has asked for: the goodbye of TLS; HTTP/2's GOAWAY, PING and WINDOW_UPDATE, in
/// two records.
pub(super) const FAREWELL_BYTES: u64 = 128;

/// Closed by this process with something unread. Where it is not known that a response was asked for, it may have been what
/// a peer says by itself, and what came after the close most likely was.
pub(super) fn response_not_read(patient: Patient<'_>) -> Option<Diagnosis> {
    let grounds = patient.grounds(Cause::UnreadResponse, 1, left_a_response_unread)?;
    if patient.resets(grounds.closes) {
        return None;
    }
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
