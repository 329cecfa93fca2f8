//! The cause of a connection's end.

use tcp_reuse_watch_ebpf::{Cause, CloseKind, Closer, Connection, IDLE_US, flag};

use super::reread;
use crate::bpf::counters::{Counters, add_at};

/// Upper bound of a server's goodbye that answers nothing. A TLS alert has up to 53 bytes, and HTTP/2's GOAWAY, with
/// the bytes sent along with it, about 40.
const GOODBYE_BYTES: u32 = 128;

#[inline(always)]
pub(super) fn count_cause(entry: &Connection, counters: Counters) {
    let cause = reread(&entry.cause);
    // SAFETY: only an address inside the map value is computed.
    add_at(unsafe { &raw mut (*counters.0).closes }, cause, 1);
    // SAFETY: a pointer into a map value, checked for null. Of two concurrent closes either may be noted as the last.
    unsafe { (*counters.0).last_cause = cause.into() };
}

/// Updates the cause. An answer that is read after CLOSE, or never read, may change it.
#[inline(always)]
pub(in crate::bpf) fn update_cause(entry: &mut Connection) {
    if entry.cause == Cause::Unknown as u8 {
        // Not counted yet, as at each exchange of an open connection; or the end was not seen, and nothing changes
        // that.
        return;
    }
    let before = entry.cause;
    entry.cause = cause(entry) as u8;
    if reread(&entry.cause) != before
        && let Some(counters) = Counters::of(entry)
    {
        // SAFETY: only an address inside the map value is computed.
        add_at(unsafe { &raw mut (*counters.0).closes }, before, u64::MAX);
        count_cause(entry, counters);
    }
}

/// The cause of a closed connection's end.
#[inline(always)]
pub(super) fn cause(entry: &Connection) -> Cause {
    if entry.flags & flag::UNUSED != 0 {
        return Cause::Unused;
    }
    if entry.flags & flag::EXITING != 0 {
        return Cause::ProcessExit;
    }
    let is_local = entry.closed_by == Closer::Local as u8;
    if entry.how == CloseKind::Reset as u8 && !is_local {
        return Cause::ResetByPeer;
    }
    let goodbye_bytes = if entry.conversation.may_say_goodbye() { GOODBYE_BYTES } else { 0 };
    if entry.unread_bytes > goodbye_bytes || entry.flags & flag::LATE_PAYLOAD != 0 {
        return Cause::UnreadResponse;
    }
    // An unread goodbye turns an orderly close into a reset.
    if entry.how == CloseKind::Reset as u8 && entry.unread_bytes == 0 {
        return Cause::Aborted;
    }
    if entry.how == CloseKind::Timeout as u8 {
        return Cause::TimedOut;
    }
    // A pre-existing connection that was not used during the watch was idle at least as long as it was watched.
    let since_us = if entry.last_receive_us > 0 { entry.last_receive_us } else { entry.connect_ns / 1000 };
    let was_idle = (entry.ended_ns / 1000).saturating_sub(since_us) >= IDLE_US;
    match (entry.closed_by == Closer::Peer as u8, was_idle) {
        _ if entry.closed_by == Closer::Unknown as u8 => Cause::Unknown,
        (false, false) => Cause::ClosedAfterResponse,
        (true, false) => Cause::ServerClosedAfterResponse,
        (false, true) => Cause::ClientIdle,
        (true, true) => Cause::ServerIdle,
    }
}
