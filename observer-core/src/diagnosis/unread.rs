//! Responses that were not read to their end.

use super::{Confidence, Diagnosis, Evidence, Subject};
use crate::{group::ClosedConnection, model::Cause};

/// Upper bound of a peer's goodbye, which answers nothing: TLS's `close_notify`; HTTP/2's GOAWAY, PING and
/// WINDOW_UPDATE in two records.
pub(super) const GOODBYE_BYTES: u64 = 128;

/// Connections closed by this process with unread bytes. If it is unknown whether a response was due, the unread bytes
/// may be the peer's goodbye; bytes that arrived after the close most likely are.
pub(super) fn response_not_read(subject: Subject<'_>) -> Option<Diagnosis> {
    let grounds = subject.grounds(Cause::UnreadResponse, 1, left_a_response_unread)?;
    if subject.resets(grounds.closes) {
        return None;
    }
    let unread_bytes = grounds.spread(subject, |closed| Some(closed.unread_bytes())).median();
    if grounds.confidence != Confidence::Certain && unread_bytes.unwrap_or(0) <= GOODBYE_BYTES {
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
    closed.carried_requests() && (!closed.carried_encrypted_requests() || closed.unread_bytes() > GOODBYE_BYTES)
}
