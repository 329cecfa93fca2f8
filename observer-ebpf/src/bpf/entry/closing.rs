//! The end of an established connection: the first FIN or reset, and CLOSE.

use tcp_reuse_watch_ebpf::{CloseKind, Closer, Connection, Phase, flag};

use super::{
    cause::{cause, count_cause},
    errno,
    exactness::{mark_if_kernel_handled, mark_inexact},
    idleness::leave_group,
    now_ns, pool,
    progress::count_exchange,
    written::written,
};
use crate::bpf::{
    counters::{Counters, count},
    memory::Memory,
    process,
    socket::Socket,
};

/// `SHUTDOWN_MASK` (include/net/sock.h). `__tcp_close()` sets it before the state changes; shutdown(SHUT_WR) sets 2.
const SHUTDOWN_BOTH: u8 = 3;

/// Notes the first FIN or reset.
#[inline(always)]
pub(in crate::bpf) fn note_end<M: Memory>(entry: &mut Connection, socket: &Socket<M>, by: Closer, how: CloseKind) {
    if by != Closer::Local || how != CloseKind::Fin {
        // A side that has only ended sending can still be answered.
        pool::stop_serving(entry);
    }
    if entry.ended_ns == 0 {
        // The peer's FIN or reset is the last packet. A pre-existing connection begins with the watch, so its end is
        // not earlier.
        let ended_ns = if by == Closer::Peer { socket.last_packet_ns().max(entry.connect_ns) } else { now_ns() };
        end(entry, ended_ns, by, how);
        mark_if_kernel_handled(entry, socket);
        if by == Closer::Local && how != CloseKind::Timeout && process::is_exiting(entry.group.tgid) {
            entry.flags |= flag::EXITING;
        }
    }
}

#[inline(always)]
fn end(entry: &mut Connection, ended_ns: u64, by: Closer, how: CloseKind) {
    entry.ended_ns = ended_ns;
    entry.closed_by = by as u8;
    entry.how = how as u8;
    leave_group(entry);
}

/// Notes a close of both directions: the connection no longer serves, and nothing reads later payload.
#[inline(always)]
pub(in crate::bpf) fn stop_reading<M: Memory>(entry: &mut Connection, socket: &Socket<M>) {
    if entry.segments_at_close == u32::MAX && socket.shutdown() == SHUTDOWN_BOTH {
        entry.segments_at_close = socket.payload_segments();
        pool::stop_serving(entry);
    }
}

/// Which side ended a connection that reached CLOSE without a FIN before it, and how.
///
/// `sk_err` shows it: `tcp_reset()` sets ECONNRESET or EPIPE before `tcp_done()`, the timers set ETIMEDOUT or the error
/// from ICMP, and `tcp_abort()` sets ECONNABORTED. Our own reset on close leaves it 0 until later (all in
/// net/ipv4/tcp*.c).
#[inline(always)]
fn abrupt_end(entry: &Connection, error: u32) -> (Closer, CloseKind) {
    match error {
        _ if entry.flags & flag::PEER_RESET != 0 => (Closer::Peer, CloseKind::Reset),
        errno::CONNRESET | errno::PIPE => (Closer::Peer, CloseKind::Reset),
        0 | errno::CONNABORTED => (Closer::Local, CloseKind::Reset),
        _ => (Closer::Local, CloseKind::Timeout),
    }
}

/// Handles a socket that reached CLOSE.
#[inline(always)]
pub(in crate::bpf) fn close<M: Memory>(entry: &mut Connection, socket: &Socket<M>) {
    if entry.phase != Phase::Established as u8 {
        return;
    }
    entry.phase = Phase::Closed as u8;
    entry.error = socket.error();
    let (by, how) = abrupt_end(entry, entry.error);
    note_end(entry, socket, by, how);
    pool::stop_serving(entry);
    let goodbyes = u32::from(entry.conversation.may_say_goodbye());
    if socket.payload_segments() > entry.segments_at_close.saturating_add(goodbyes) {
        entry.flags |= flag::LATE_PAYLOAD;
    }
    entry.sent_bytes = socket.sent_bytes();
    entry.received_bytes = socket.received_bytes();
    // A side that has only ended sending may still read it.
    let is_half_closed = entry.closed_by == Closer::Local as u8
        && entry.how == CloseKind::Fin as u8
        && entry.segments_at_close == u32::MAX
        && !socket.is_orphan();
    entry.unread_bytes = if is_half_closed { 0 } else { socket.unread_bytes() };
    let written = written(entry, socket);
    if entry.exchanges == 0
        && entry.how == CloseKind::Fin as u8
        && entry.received_bytes == 0
        && entry.conversation.turn.has_open_ask(written)
    {
        // It only ever sent (log shipping) and ended in order: one exchange, by definition.
        entry.conversation.turn.account_for(written);
        if !entry.conversation.is_recognised() || entry.conversation.is_doubtful(written) {
            mark_inexact(entry);
        }
        count_exchange(entry);
    }
    count_closed(entry);
}

/// Closes an established connection whose end was not seen.
#[inline(always)]
pub(super) fn close_unseen(entry: &mut Connection) {
    if entry.phase != Phase::Established as u8 {
        return;
    }
    entry.phase = Phase::Closed as u8;
    pool::stop_serving(entry);
    if entry.ended_ns == 0 {
        end(entry, now_ns(), Closer::Unknown, CloseKind::Unknown);
    }
    count_closed(entry);
}

#[inline(always)]
fn count_closed(entry: &mut Connection) {
    if let Some(counters) = Counters::of(entry) {
        count!(counters, closed);
        if entry.exchanges == 0 && entry.flags & flag::USED_BEFORE == 0 {
            entry.flags |= flag::UNUSED;
            count!(counters, unused);
        }
        // The lifetime of a pre-existing connection is unknown.
        if entry.established_ns > 0 {
            counters.count_lifetime((entry.ended_ns / 1000).saturating_sub(entry.established_ns / 1000));
        }
        entry.cause = cause(entry) as u8;
        count_cause(entry, counters);
    }
}
