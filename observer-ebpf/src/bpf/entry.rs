//! An entry of the connection map: how it comes to be, what is counted on it, and how it ends.
//!
//! An entry is created in the caller's context at connect. Its phase only grows, and every count below is tied to a
//! phase or a flag, so that the same moment seen by two hooks counts once. All of it runs under the socket's lock.

use aya_ebpf::{
    EbpfContext,
    helpers::{bpf_ktime_get_ns, generated::bpf_ringbuf_output},
};
use aya_log_ebpf::warn;
use tcp_reuse_watch_ebpf::{Connection, Conversation, Cut, Ender, Failure, GroupKey, Loss, Phase, RowKind, flag};

use super::{
    counters::{Counters, EEXIST, count, uncount},
    filter,
    frozen::frozen,
    maps::{CONNECTIONS, EVENTS, lost},
    memory::Memory,
    process::Process,
    socket::Socket,
};

/// Error numbers, as `sk_err` holds them (include/uapi/asm-generic/errno.h).
mod errno {
    pub(super) const PIPE: u32 = 32;
    pub(super) const CONNABORTED: u32 = 103;
    pub(super) const NETUNREACH: u32 = 101;
    pub(super) const CONNRESET: u32 = 104;
    pub(super) const TIMEDOUT: u32 = 110;
    pub(super) const CONNREFUSED: u32 = 111;
    pub(super) const HOSTUNREACH: u32 = 113;
}

/// A connection's entry, in place.
pub(super) type Entry = &'static mut Connection;

/// The entry of a socket, if it is tracked.
#[inline(always)]
pub(super) fn of<M: Memory>(socket: &Socket<M>) -> Option<Entry> {
    // SAFETY: a pointer into a map value; entries are removed under the lock of their socket, which the caller holds.
    CONNECTIONS.get_ptr_mut(socket.address()).map(|entry| unsafe { &mut *entry })
}

/// Creates the entry of a socket, if the filter wants it. `process`: whose connection it is. `when`: flags of a map's
/// update; `last_chance`: what finds no room is untracked.
#[inline(always)]
pub(super) fn create<M: Memory>(
    ctx: &impl EbpfContext,
    socket: &Socket<M>,
    process: &Process,
    when: u32,
    last_chance: bool,
) -> Option<Entry> {
    let group = GroupKey {
        start_ticks: process.start_ticks,
        addr: socket.remote_addr(),
        tgid: process.tgid,
        port: socket.remote_port(),
        reserved: 0,
    };
    if !filter::wants(process, &group) {
        return None;
    }
    if socket.is_mptcp() {
        if last_chance {
            lost(Loss::Mptcp);
        }
        return None;
    }
    let flags = if Counters::ensure(&group, process) { 0 } else { flag::OVERFLOW };
    let connection = Connection {
        socket: socket.address(),
        // SAFETY: the helper has no preconditions.
        connect_ns: unsafe { bpf_ktime_get_ns() },
        group,
        comm: process.comm,
        flags,
        ..Connection::EMPTY
    };
    match CONNECTIONS.insert(socket.address(), &connection, u64::from(when)) {
        Ok(()) => {}
        // Another hook was faster.
        Err(EEXIST) => return None,
        Err(error) => {
            // Full, or a softirq interrupted another update on this processor.
            if last_chance {
                warn!(ctx, "connection to port {} not tracked: error {}", group.port, error);
                lost(Loss::Untracked);
            }
            return None;
        }
    }
    let entry = of(socket)?;
    if let Some(counters) = Counters::of(entry) {
        count!(counters, tracked);
    }
    Some(entry)
}

/// The connection was open when the watch began.
#[inline(always)]
pub(super) fn resume<M: Memory>(entry: &mut Connection, socket: &Socket<M>) {
    entry.phase = Phase::Established as u8;
    entry.flags |= flag::PRE_EXISTING;
    let written = socket.written();
    if written != socket.first_sent() {
        entry.flags |= flag::USED_BEFORE;
    }
    entry.conversation = Conversation::resumed(written, socket.consumed(), socket.is_answer_due());
    note_local(entry, socket);
    if frozen!(SWITCHES.sees_sends) == 0 {
        entry.flags |= flag::INEXACT;
    }
    if let Some(counters) = Counters::of(entry) {
        count!(counters, pre_existing);
    }
}

/// Takes the local address. At SYN_SENT there is none yet, or only what bind() gave.
#[inline(always)]
pub(super) fn note_local<M: Memory>(entry: &mut Connection, socket: &Socket<M>) {
    entry.local_port = socket.local_port();
    entry.local_addr = socket.local_addr();
}

/// The handshake is through (seen late, perhaps).
#[inline(always)]
pub(super) fn establish<M: Memory>(ctx: &impl EbpfContext, entry: &mut Connection, socket: &Socket<M>) {
    if entry.phase != Phase::Connecting as u8 {
        return;
    }
    entry.phase = Phase::Established as u8;
    // SAFETY: the helper has no preconditions.
    entry.established_ns = unsafe { bpf_ktime_get_ns() };
    entry.conversation.begin(socket.first_sent(), socket.first_received());
    note_local(entry, socket);
    if frozen!(SWITCHES.sees_sends) == 0 {
        // Whether it is TLS cannot be told, so neither can what its handshake asked.
        entry.flags |= flag::INEXACT;
    }
    if let Some(counters) = Counters::of(entry) {
        count!(counters, opened);
    }
    row(ctx, entry, RowKind::Open);
}

/// Makes a skipped establishment good: a preempted program can keep the kernel from running it for a whole short life
/// of a connection.
#[inline(always)]
pub(super) fn catch_up<M: Memory>(ctx: &impl EbpfContext, entry: &mut Connection, socket: &Socket<M>) {
    if entry.phase == Phase::Connecting as u8 && socket.is_through() {
        establish(ctx, entry, socket);
    }
}

/// Looks at the socket: counts the exchange that is complete by now, if there is one.
#[inline(always)]
pub(super) fn observe<M: Memory>(ctx: &impl EbpfContext, entry: &mut Connection, socket: &Socket<M>) {
    catch_up(ctx, entry, socket);
    if entry.phase == Phase::Connecting as u8 {
        return;
    }
    let consumed = socket.consumed();
    if !entry.conversation.turn.has_consumed(consumed) {
        return;
    }
    entry.last_receive_us = socket.last_packet_us();
    if entry.conversation.turn.look(written(entry, socket), consumed) {
        count_exchange(ctx, entry);
    }
}

/// End of what the application wrote. In CLOSE the socket does not say any more whether a FIN is in it, so it is
/// remembered from the moment at which no more can be written.
#[inline(always)]
fn written<M: Memory>(entry: &Connection, socket: &Socket<M>) -> u32 {
    if entry.flags & flag::SENDING_ENDED != 0 { entry.written } else { socket.written() }
}

/// The application will send no more: `written` is final.
#[inline(always)]
pub(super) fn end_sending(entry: &mut Connection, written: u32) {
    if entry.flags & flag::SENDING_ENDED == 0 {
        entry.written = written;
        entry.flags |= flag::SENDING_ENDED;
    }
}

#[inline(always)]
fn count_exchange(ctx: &impl EbpfContext, entry: &mut Connection) {
    entry.exchanges += 1;
    if let Some(counters) = Counters::of(entry) {
        if entry.exchanges == 1 && entry.flags & flag::USED_BEFORE == 0 {
            count!(counters, new);
        } else {
            count!(counters, reused);
        }
        counters.count_in_histogram(entry.exchanges);
        if entry.flags & flag::INEXACT != 0 {
            count!(counters, inexact);
        }
        if entry.flags & flag::UNUSED != 0 {
            // The answer was read after the socket had reached CLOSE.
            entry.flags &= !flag::UNUSED;
            uncount!(counters, unused);
        }
    }
    if frozen!(SWITCHES.exchange_rows) != 0 {
        row(ctx, entry, RowKind::Exchange);
    }
}

/// What this connection carries cannot be counted exactly.
#[inline(always)]
pub(super) fn mark_inexact(entry: &mut Connection) {
    if entry.flags & flag::INEXACT != 0 {
        return;
    }
    entry.flags |= flag::INEXACT;
    if entry.exchanges > 0
        && let Some(counters) = Counters::of(entry)
    {
        // SAFETY: only an address inside the map value is computed.
        super::atomic::add(unsafe { &raw mut (*counters.0).inexact }, entry.exchanges);
    }
}

/// The first FIN or reset has been seen.
#[inline(always)]
pub(super) fn end(entry: &mut Connection, by: Ender, how: Cut) {
    if entry.ended_ns == 0 {
        // SAFETY: the helper has no preconditions.
        entry.ended_ns = unsafe { bpf_ktime_get_ns() };
        entry.closed_by = by as u8;
        entry.how = how as u8;
    }
}

/// The socket reached CLOSE without a FIN before it: who cut it, and how.
///
/// `sk_err` at this moment tells: `tcp_reset()` sets ECONNRESET or EPIPE before `tcp_done()`, the timers ETIMEDOUT or
/// what ICMP said, `tcp_abort()` ECONNABORTED; our own reset on close leaves it 0 until later (all in net/ipv4/tcp*.c).
#[inline(always)]
fn cut(entry: &Connection, error: u32) -> (Ender, Cut) {
    match error {
        _ if entry.flags & flag::PEER_RESET != 0 => (Ender::Peer, Cut::Reset),
        errno::CONNRESET | errno::PIPE => (Ender::Peer, Cut::Reset),
        0 | errno::CONNABORTED => (Ender::Local, Cut::Reset),
        _ => (Ender::Local, Cut::Timeout),
    }
}

/// The socket reached CLOSE.
#[inline(always)]
pub(super) fn close<M: Memory>(ctx: &impl EbpfContext, entry: &mut Connection, socket: &Socket<M>) {
    if entry.phase != Phase::Established as u8 {
        return;
    }
    entry.phase = Phase::Closed as u8;
    entry.error = socket.error();
    let (by, how) = cut(entry, entry.error);
    end(entry, by, how);
    entry.sent_bytes = socket.sent_bytes();
    entry.received_bytes = socket.received_bytes();
    entry.unread_bytes = socket.unread_bytes();
    let written = written(entry, socket);
    if entry.exchanges == 0
        && entry.how == Cut::Fin as u8
        && entry.received_bytes == 0
        && entry.conversation.turn.asked(written)
    {
        // It only ever sent (log shipping), and ended in order: one exchange, by definition.
        entry.conversation.turn.settle(written);
        count_exchange(ctx, entry);
    }
    count_closed(entry);
}

/// An established connection whose socket connects again: its end was not seen, and what it held is not there any more.
#[inline(always)]
pub(super) fn close_unseen(entry: &mut Connection) {
    if entry.phase != Phase::Established as u8 {
        return;
    }
    entry.phase = Phase::Closed as u8;
    end(entry, Ender::Unknown, Cut::Unknown);
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
    }
}

/// The connect did not come through.
#[inline(always)]
pub(super) fn fail(ctx: &impl EbpfContext, entry: &mut Connection, error: u32, shutdown: u8) {
    if entry.phase != Phase::Connecting as u8 {
        return;
    }
    entry.phase = Phase::Failed as u8;
    entry.error = error;
    let failure = match error {
        // From close() or shutdown(): both directions are shut. From a connect that found no local port: none is.
        0 if shutdown != 0 => Failure::Abandoned,
        0 => Failure::AddressNotAvailable,
        errno::CONNREFUSED => Failure::Refused,
        errno::TIMEDOUT => Failure::TimedOut,
        errno::HOSTUNREACH => Failure::HostUnreachable,
        errno::NETUNREACH => Failure::NetworkUnreachable,
        errno::CONNRESET => Failure::Reset,
        _ => Failure::Other,
    };
    entry.failure = failure as u8;
    if let Some(counters) = Counters::of(entry) {
        count!(counters, failures[failure as usize]);
    }
    row(ctx, entry, RowKind::Failed);
}

/// Nothing more will come of this entry: its row is sent, and it is removed.
#[inline(always)]
pub(super) fn finish(ctx: &impl EbpfContext, entry: &mut Connection) {
    if entry.phase == Phase::Closed as u8 {
        row(ctx, entry, RowKind::Close);
    }
    if let Some(counters) = Counters::of(entry) {
        uncount!(counters, tracked);
    }
    if CONNECTIONS.remove(entry.socket).is_err() {
        lost(Loss::NotRemoved);
    }
}

#[inline(always)]
fn row(_ctx: &impl EbpfContext, entry: &mut Connection, kind: RowKind) {
    if frozen!(SWITCHES.rows) == 0 {
        return;
    }
    entry.row_kind = kind as u32;
    // SAFETY: the helpers have no preconditions; the entry is a map value, whole and initialised.
    let sent = unsafe {
        entry.row_ns = bpf_ktime_get_ns();
        bpf_ringbuf_output(
            (&raw const EVENTS).cast_mut().cast(),
            (&raw mut *entry).cast(),
            size_of::<Connection>() as u64,
            0,
        )
    };
    if sent != 0 {
        lost(Loss::RowsLost);
    }
}
