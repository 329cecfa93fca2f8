//! An entry of the connection map: how it comes to be, what is counted on it, and how it ends.
//!
//! An entry is created in the caller's context at connect. Its phase only grows, and every count below is tied to a
//! phase or a flag, so that the same moment seen by two hooks counts once. All of it runs under the socket's lock.

use aya_ebpf::{
    EbpfContext,
    helpers::{bpf_ktime_get_ns, generated::bpf_ringbuf_output},
};
use aya_log_ebpf::warn;
use tcp_reuse_watch_ebpf::{
    Cause, Connection, Conversation, Cut, Ender, Exactness, Failure, GroupKey, IDLE_US, Loss, Phase, RowKind,
    TARGET_UNCLEAR, Why, flag,
};

use super::{
    counters::{Counters, EEXIST, Ensured, add_at, count, uncount},
    filter,
    frozen::frozen,
    maps::{CONNECTIONS, EVENTS, lost},
    memory::Memory,
    pool,
    process::{self, Process},
    socket::{Socket, state},
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

/// `SHUTDOWN_MASK` (include/net/sock.h): set by `__tcp_close()` before the state changes; shutdown(SHUT_WR) sets 2.
const SHUTDOWN_BOTH: u8 = 3;

/// What a server says at the end, if that is no answer, is not longer: an alert of TLS has up to 53 bytes, HTTP/2's GOAWAY
/// and what comes with it some 40.
const GOODBYE_BYTES: u32 = 128;

static EMPTY: Connection = Connection::EMPTY;

/// A connection's entry, in place.
pub(super) type Entry = &'static mut Connection;

/// CLOCK_MONOTONIC: some 60 ns, where what the socket has noted itself costs nothing.
#[inline(always)]
fn now_ns() -> u64 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_ktime_get_ns() }
}

/// The entry of a socket, if it is tracked.
#[inline(always)]
pub(super) fn of<M: Memory>(socket: &Socket<M>) -> Option<Entry> {
    at(socket.address())
}

/// The entry of the socket at an address.
#[inline(always)]
pub(super) fn at(socket: u64) -> Option<Entry> {
    // SAFETY: a pointer into a map value; entries are removed under the lock of their socket, which the caller holds.
    CONNECTIONS.get_ptr_mut(socket).map(|entry| unsafe { &mut *entry })
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
    let ensured = Counters::ensure(&group, process);
    // Empty, and filled in in its place: on the stack it would be too large.
    match CONNECTIONS.insert(socket.address(), &EMPTY, u64::from(when)) {
        Ok(()) => {}
        Err(error) => {
            Counters::cancel(ensured);
            if error == EEXIST {
                // Another hook was faster.
                return None;
            }
            // Full, or a softirq interrupted another update on this processor.
            if last_chance {
                warn!(ctx, "connection to port {} not tracked: error {}", group.port, error);
                lost(Loss::Untracked);
            }
            return None;
        }
    }
    let entry = of(socket)?;
    entry.socket = socket.address();
    entry.connect_ns = now_ns();
    entry.group = group;
    entry.comm = process.comm;
    entry.slot = ensured.slot();
    entry.flags = if ensured == Ensured::NoRoom { flag::OVERFLOW } else { 0 };
    if let Some(counters) = Counters::of(entry) {
        count!(counters, tracked);
        enter(entry, counters, ensured.is_created());
    }
    Some(entry)
}

/// Why it is opened, by what its group holds at this moment; and it is one of them from here on.
#[inline(always)]
fn enter(entry: &mut Connection, counters: Counters, is_first: bool) {
    // SAFETY: a pointer into a map value, checked for null.
    let group = unsafe { &*counters.0 };
    let (live, idle) = (if is_first { 0 } else { group.live }, group.idle);
    let why = if is_first || live == 0 && group.opened + group.pre_existing == 0 {
        Why::First
    } else if idle > 0 {
        Why::MissedReuse
    } else if live > 0 {
        Why::Concurrency
    } else {
        // While the one before is closing, what it ended by is not known.
        if group.opened + group.pre_existing == group.closed {
            entry.replaced_cause = group.last_cause as u8;
        }
        Why::Replaced
    };
    entry.why = why as u8;
    entry.idle_at_open = idle as u32;
    entry.busy_at_open = live.saturating_sub(idle) as u32 + 1;
    entry.flags |= flag::LIVE;
    if !is_first {
        count!(counters, live);
    }
}

/// It cannot be used any more.
#[inline(always)]
fn leave(entry: &mut Connection) {
    if entry.flags & flag::LIVE == 0 {
        return;
    }
    if let Some(counters) = Counters::of(entry) {
        uncount!(counters, live);
        if entry.flags & flag::IDLE != 0 {
            uncount!(counters, idle);
        }
        // SAFETY: a pointer into a map value, checked for null.
        entry.idle_at_end = unsafe { (*counters.0).idle } as u32;
    }
    entry.flags &= !(flag::LIVE | flag::IDLE);
}

/// What was asked is answered: another request may take it.
#[inline(always)]
fn idle(entry: &mut Connection) {
    let is_live = entry.flags & (flag::LIVE | flag::IDLE) == flag::LIVE;
    if is_live
        && (entry.exchanges > 0 || entry.flags & flag::USED_BEFORE != 0)
        && let Some(counters) = Counters::of(entry)
    {
        count!(counters, idle);
        entry.flags |= flag::IDLE;
    }
}

/// A send begins on it.
#[inline(always)]
pub(super) fn busy(entry: &mut Connection) {
    if entry.flags & flag::IDLE != 0
        && let Some(counters) = Counters::of(entry)
    {
        uncount!(counters, idle);
        entry.flags &= !flag::IDLE;
    }
}

/// The connection was open when the watch began.
#[inline(always)]
pub(super) fn resume<M: Memory>(entry: &mut Connection, socket: &Socket<M>) {
    entry.phase = Phase::Established as u8;
    entry.flags |= flag::PRE_EXISTING;
    let written = socket.written();
    if written != 0 {
        entry.flags |= flag::USED_BEFORE;
        if socket.state() == state::CLOSE_WAIT {
            // It has asked, and cannot serve: it is in neither count.
            entry.flags |= flag::ASKED;
        } else {
            pool::ask(entry);
        }
    }
    entry.conversation = Conversation::resumed(written, socket.consumed(), socket.is_answer_due());
    note_local(entry, socket);
    if frozen!(SWITCHES.sees_sends) == 0 {
        mark_inexact(entry);
    }
    if let Some(counters) = Counters::of(entry) {
        count!(counters, pre_existing);
    }
    if !entry.conversation.turn.asked(written) {
        idle(entry);
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
    entry.established_ns = socket.last_packet_ns();
    note_local(entry, socket);
    if frozen!(SWITCHES.sees_sends) == 0 {
        // Whether it is TLS cannot be told, so neither can what its handshake asked.
        mark_inexact(entry);
        pool::ask(entry);
    }
    // What went out with the SYN.
    pool::look(entry, socket);
    if let Some(counters) = Counters::of(entry) {
        count!(counters, opened);
        // SAFETY: only an address inside the map value is computed.
        add_at(unsafe { &raw mut (*counters.0).why }, entry.why, 1);
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

/// Looks at the socket: counts the exchange that is complete by now, if there is one. `is_heard`: the conversation knows how
/// what was read begins.
#[inline(always)]
pub(super) fn observe<M: Memory>(ctx: &impl EbpfContext, entry: &mut Connection, socket: &Socket<M>, is_heard: bool) {
    catch_up(ctx, entry, socket);
    if entry.phase == Phase::Connecting as u8 {
        return;
    }
    pool::look(entry, socket);
    let consumed = socket.consumed();
    if !entry.conversation.turn.has_consumed(consumed) {
        return;
    }
    entry.last_receive_us = socket.last_packet_us();
    let written = written(entry, socket);
    if !is_heard && entry.conversation.awaits_answer(written) && entry.conversation.miss_answer() == Exactness::Inexact
    {
        mark_inexact(entry);
    }
    entry.conversation.end_upload();
    if entry.conversation.turn.look(written, consumed) {
        if !entry.conversation.is_recognised() || entry.conversation.is_doubtful(written) {
            mark_inexact(entry);
        }
        count_exchange(ctx, entry);
    }
    if !entry.conversation.turn.asked(written) && socket.unread_bytes() == 0 {
        idle(entry);
    }
}

/// How much was read since the last look, and how much was written by then, if the conversation has to hear how that
/// begins.
#[inline(always)]
pub(super) fn unheard_answer<M: Memory>(entry: &Connection, socket: &Socket<M>) -> Option<(u64, u32)> {
    let consumed = socket.consumed();
    let turn = &entry.conversation.turn;
    if entry.phase == Phase::Connecting as u8 || !turn.has_consumed(consumed) {
        return None;
    }
    let written = written(entry, socket);
    let read = consumed.wrapping_sub(turn.consumed()) as u32;
    entry.conversation.awaits_answer(written).then_some((written, read))
}

/// Bytes that the application has written. In CLOSE the socket does not say any more whether a FIN is among them, so it is
/// remembered from the moment at which no more can be written.
#[inline(always)]
pub(super) fn written<M: Memory>(entry: &Connection, socket: &Socket<M>) -> u64 {
    if entry.flags & flag::SENDING_ENDED != 0 { entry.written } else { socket.written() }
}

/// The application will send no more: `written` is final.
#[inline(always)]
pub(super) fn end_sending(entry: &mut Connection, written: u64) {
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
        counters.note_application(entry.conversation.application);
        if entry.flags & flag::INEXACT != 0 {
            count!(counters, inexact);
        }
        if entry.flags & flag::UNUSED != 0 {
            // The answer was read after the socket had reached CLOSE.
            entry.flags &= !flag::UNUSED;
            uncount!(counters, unused);
        }
    }
    settle_cause(entry);
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
    if let Some(counters) = Counters::of(entry) {
        count!(counters, marked);
        if entry.exchanges > 0 {
            // SAFETY: only an address inside the map value is computed.
            super::atomic::add(unsafe { &raw mut (*counters.0).inexact }, entry.exchanges);
        }
    }
}

/// Of what somebody else in the kernel passes on, nothing can be counted.
#[inline(always)]
pub(super) fn mark_if_taken_over<M: Memory>(entry: &mut Connection, socket: &Socket<M>) {
    if socket.is_taken_over() {
        mark_inexact(entry);
        pool::note_target(entry, TARGET_UNCLEAR);
    }
}

/// The first FIN or reset has been seen.
#[inline(always)]
pub(super) fn end<M: Memory>(entry: &mut Connection, socket: &Socket<M>, by: Ender, how: Cut) {
    if by != Ender::Local || how != Cut::Fin {
        // Whoever has only ended sending can still be answered.
        pool::stop_serving(entry);
    }
    if entry.ended_ns == 0 {
        // What the peer sent is the last packet. Not before the watch began: there a connection begins, too.
        entry.ended_ns = if by == Ender::Peer { socket.last_packet_ns().max(entry.connect_ns) } else { now_ns() };
        entry.closed_by = by as u8;
        entry.how = how as u8;
        mark_if_taken_over(entry, socket);
        leave(entry);
        if by == Ender::Local && how != Cut::Timeout && process::is_exiting(entry.group.tgid) {
            entry.flags |= flag::EXITING;
        }
    }
}

/// Notes a close of both directions: the connection no longer serves, and nobody reads what arrives from here on.
#[inline(always)]
pub(super) fn stop_reading<M: Memory>(entry: &mut Connection, socket: &Socket<M>) {
    if entry.segments_at_close == u32::MAX && socket.shutdown() == SHUTDOWN_BOTH {
        entry.segments_at_close = socket.payload_segments();
        pool::stop_serving(entry);
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
    end(entry, socket, by, how);
    pool::stop_serving(entry);
    let goodbyes = u32::from(entry.conversation.may_say_goodbye());
    if socket.payload_segments() > entry.segments_at_close.saturating_add(goodbyes) {
        entry.flags |= flag::LATE_PAYLOAD;
    }
    entry.sent_bytes = socket.sent_bytes();
    entry.received_bytes = socket.received_bytes();
    // Who has only ended sending may read it yet.
    let is_half_closed = entry.closed_by == Ender::Local as u8
        && entry.how == Cut::Fin as u8
        && entry.segments_at_close == u32::MAX
        && !socket.is_orphan();
    entry.unread_bytes = if is_half_closed { 0 } else { socket.unread_bytes() };
    let written = written(entry, socket);
    if entry.exchanges == 0
        && entry.how == Cut::Fin as u8
        && entry.received_bytes == 0
        && entry.conversation.turn.asked(written)
    {
        // It only ever sent (log shipping), and ended in order: one exchange, by definition.
        entry.conversation.turn.settle(written);
        if !entry.conversation.is_recognised() || entry.conversation.is_doubtful(written) {
            mark_inexact(entry);
        }
        count_exchange(ctx, entry);
    }
    count_closed(entry);
}

/// An established connection whose socket connects again: its end was not seen, and what it held is not there any more.
#[inline(always)]
pub(super) fn close_unseen<M: Memory>(entry: &mut Connection, socket: &Socket<M>) {
    if entry.phase != Phase::Established as u8 {
        return;
    }
    entry.phase = Phase::Closed as u8;
    end(entry, socket, Ender::Unknown, Cut::Unknown);
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
        // One that was there before has lived longer than is known.
        if entry.established_ns > 0 {
            counters.count_lifetime((entry.ended_ns / 1000).saturating_sub(entry.established_ns / 1000));
        }
        entry.cause = cause(entry) as u8;
        count_cause(entry, counters);
    }
}

#[inline(always)]
fn count_cause(entry: &Connection, counters: Counters) {
    let cause = anew(&entry.cause);
    // SAFETY: only an address inside the map value is computed.
    add_at(unsafe { &raw mut (*counters.0).closes }, cause, 1);
    // SAFETY: a pointer into a map value, checked for null. Of two that close at once, either is the last.
    unsafe { (*counters.0).last_cause = cause.into() };
}

/// Reads a field anew, of which the verifier forgets what it was: it would walk through what follows once for each value.
#[inline(always)]
pub(super) fn anew<T: Copy>(field: &T) -> T {
    // SAFETY: the pointer is that of a reference. Volatile, or the compiler would take what it has in a register.
    unsafe { core::ptr::from_ref(field).read_volatile() }
}

/// What is read after CLOSE, or never, may change what it ended by.
#[inline(always)]
pub(super) fn settle_cause(entry: &mut Connection) {
    if entry.cause == Cause::Unknown as u8 {
        // It is not counted yet, as at every exchange of an open one; or its end was not seen, which nothing changes.
        return;
    }
    let before = entry.cause;
    entry.cause = cause(entry) as u8;
    if anew(&entry.cause) != before
        && let Some(counters) = Counters::of(entry)
    {
        // SAFETY: only an address inside the map value is computed.
        add_at(unsafe { &raw mut (*counters.0).closes }, before, u64::MAX);
        count_cause(entry, counters);
    }
}

/// What it ended by, when it is closed.
#[inline(always)]
fn cause(entry: &Connection) -> Cause {
    if entry.flags & flag::UNUSED != 0 {
        return Cause::Unused;
    }
    if entry.flags & flag::EXITING != 0 {
        return Cause::ProcessExit;
    }
    let is_local = entry.closed_by == Ender::Local as u8;
    if entry.how == Cut::Reset as u8 && !is_local {
        return Cause::ResetByPeer;
    }
    let goodbye_bytes = if entry.conversation.may_say_goodbye() { GOODBYE_BYTES } else { 0 };
    if entry.unread_bytes > goodbye_bytes || entry.flags & flag::LATE_PAYLOAD != 0 {
        return Cause::UnreadResponse;
    }
    // A goodbye that is left unread makes a reset of an orderly close.
    if entry.how == Cut::Reset as u8 && entry.unread_bytes == 0 {
        return Cause::Aborted;
    }
    if entry.how == Cut::Timeout as u8 {
        return Cause::TimedOut;
    }
    // One that was there before and not used since was idle at least as long as it was watched.
    let since_us = if entry.last_receive_us > 0 { entry.last_receive_us } else { entry.connect_ns / 1000 };
    let was_idle = (entry.ended_ns / 1000).saturating_sub(since_us) >= IDLE_US;
    match (entry.closed_by == Ender::Peer as u8, was_idle) {
        _ if entry.closed_by == Ender::Unknown as u8 => Cause::Unknown,
        (false, false) => Cause::ClosedAfterResponse,
        (true, false) => Cause::ServerClosedAfterResponse,
        (false, true) => Cause::ClientIdle,
        (true, true) => Cause::ServerIdle,
    }
}

/// The connect did not come through.
#[inline(always)]
pub(super) fn fail(ctx: &impl EbpfContext, entry: &mut Connection, error: u32, shutdown: u8) {
    if entry.phase != Phase::Connecting as u8 {
        return;
    }
    entry.phase = Phase::Failed as u8;
    leave(entry);
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
        // SAFETY: only an address inside the map value is computed.
        add_at(unsafe { &raw mut (*counters.0).failures }, anew(&entry.failure), 1);
    }
    row(ctx, entry, RowKind::Failed);
}

/// Nothing more will come of this entry: its row is sent, and it is removed.
///
/// Only now it is known how many exchanges it has carried: an answer can still be read after CLOSE, and a histogram's
/// buckets must never go down. So these lag behind `closed` by the sockets that an application holds on to.
#[inline(always)]
pub(super) fn finish(ctx: &impl EbpfContext, entry: &mut Connection) {
    let phase = entry.phase;
    // If it could not be removed it is found here again.
    if phase != Phase::Over as u8 {
        if phase == Phase::Closed as u8 {
            if entry.unread_bytes == 0 && entry.conversation.end() == Exactness::Inexact {
                mark_inexact(entry);
            }
            pool::settle(entry);
            row(ctx, entry, RowKind::Close);
        }
        entry.phase = Phase::Over as u8;
        if let Some(counters) = Counters::of(entry) {
            if phase == Phase::Closed as u8 {
                counters.count_over(entry.exchanges);
            }
            // Last: at 0 the group may be read for the last time.
            uncount!(counters, tracked);
        }
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
    entry.row_ns = if kind == RowKind::Open { entry.established_ns } else { now_ns() };
    // SAFETY: the helper has no preconditions; the entry is a map value, whole and initialised.
    let sent = unsafe {
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
