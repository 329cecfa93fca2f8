//! Responses that were not read to their end.

use super::{Confidence, Diagnosis, Evidence, Subject};
use crate::{group::ClosedConnection, model::Cause};

/// A peer sends up to this many bytes that nobody asked for: TLS's `close_notify`; HTTP/2's GOAWAY, PING and
/// WINDOW_UPDATE in two records.
pub(super) const FAREWELL_BYTES: u64 = 128;

/// Closed by this process with something unread. If it is not known that a response was due, the unread bytes may be what
/// a peer says on its own; bytes that came after the close most likely are.
pub(super) fn response_not_read(subject: Subject<'_>) -> Option<Diagnosis> {
    let grounds = subject.grounds(Cause::UnreadResponse, 1, left_a_response_unread)?;
    if subject.resets(grounds.closes) {
        return None;
    }
    let unread_bytes = grounds.spread(subject, |closed| Some(closed.unread_bytes())).median();
    if grounds.confidence != Confidence::Certain && unread_bytes.unwrap_or(0) <= FAREWELL_BYTES {
        return None;
    }
    let evidence = Evidence::UnreadResponse {
        closes: grounds.share(),
        closed: subject.counts.closed,
        since_last_read_us: subject.idle_us(Cause::UnreadResponse),
        unread_bytes,
    };
    Some(subject.diagnosis(grounds.confidence, grounds.closes, evidence))
}

/// Within TLS a peer answers our `close_notify` with its own, just before or after our close.
fn left_a_response_unread(closed: &ClosedConnection) -> bool {
    closed.carried_requests() && (!closed.carried_encrypted_requests() || closed.unread_bytes() > FAREWELL_BYTES)
}
