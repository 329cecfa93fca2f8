//! A connection's progress: establishment and exchanges.

use tcp_reuse_watch_ebpf::{Connection, Exactness, Phase, RowKind, flag};

use super::{cause::update_cause, exactness::mark_inexact, idleness::mark_idle, pool, row::emit_row, written::written};
use crate::bpf::{
    counters::{Counters, add_at, count, uncount},
    frozen::frozen,
    memory::Memory,
    socket::Socket,
};

/// Stores the local address. At SYN_SENT it is missing, or holds only what bind() set.
#[inline(always)]
pub(in crate::bpf) fn note_local_address<M: Memory>(entry: &mut Connection, socket: &Socket<M>) {
    entry.local_port = socket.local_port();
    entry.local_addr = socket.local_addr();
}

/// Records that the TCP handshake completed, perhaps late.
#[inline(always)]
pub(in crate::bpf) fn establish<M: Memory>(entry: &mut Connection, socket: &Socket<M>) {
    if entry.phase != Phase::Connecting as u8 {
        return;
    }
    entry.phase = Phase::Established as u8;
    entry.established_ns = socket.last_packet_ns();
    note_local_address(entry, socket);
    if frozen!(SWITCHES.sees_sends) == 0 {
        // Without sends, TLS cannot be recognised, and its handshake cannot be distinguished from requests.
        mark_inexact(entry);
        pool::record_ask(entry);
    }
    // Data that went out with the SYN.
    pool::check_written(entry, socket);
    if let Some(counters) = Counters::of(entry) {
        count!(counters, opened);
        // SAFETY: only an address inside the map value is computed.
        add_at(unsafe { &raw mut (*counters.0).why }, entry.why, 1);
    }
    emit_row(entry, RowKind::Open);
}

/// Compensates for a skipped establishment. A preempted program can keep the kernel from running the hook for the whole
/// life of a short connection.
#[inline(always)]
pub(in crate::bpf) fn catch_up<M: Memory>(entry: &mut Connection, socket: &Socket<M>) {
    if entry.phase == Phase::Connecting as u8 && socket.has_connected() {
        establish(entry, socket);
    }
}

/// Reads the socket and counts an exchange that has completed. `is_inspected` means that the conversation has seen the
/// first bytes of the read.
#[inline(always)]
pub(in crate::bpf) fn observe<M: Memory>(entry: &mut Connection, socket: &Socket<M>, is_inspected: bool) {
    catch_up(entry, socket);
    if entry.phase == Phase::Connecting as u8 {
        return;
    }
    pool::check_written(entry, socket);
    let consumed = socket.consumed();
    if !entry.conversation.turn.has_consumed(consumed) {
        return;
    }
    entry.last_receive_us = socket.last_packet_us();
    let written = written(entry, socket);
    if !is_inspected
        && entry.conversation.awaits_answer(written)
        && entry.conversation.miss_answer() == Exactness::Inexact
    {
        mark_inexact(entry);
    }
    entry.conversation.end_upload();
    if entry.conversation.turn.update(written, consumed) {
        if !entry.conversation.is_recognised() || entry.conversation.is_doubtful(written) {
            mark_inexact(entry);
        }
        count_exchange(entry);
    }
    if !entry.conversation.turn.has_open_ask(written) && socket.unread_bytes() == 0 {
        mark_idle(entry);
    }
}

/// The bytes written so far and the bytes read since the last update, if the conversation must inspect the answer's
/// first bytes.
#[inline(always)]
pub(in crate::bpf) fn pending_answer<M: Memory>(entry: &Connection, socket: &Socket<M>) -> Option<(u64, u32)> {
    let consumed = socket.consumed();
    let turn = &entry.conversation.turn;
    if entry.phase == Phase::Connecting as u8 || !turn.has_consumed(consumed) {
        return None;
    }
    let written = written(entry, socket);
    let read = consumed.wrapping_sub(turn.consumed()) as u32;
    entry.conversation.awaits_answer(written).then_some((written, read))
}

#[inline(always)]
pub(super) fn count_exchange(entry: &mut Connection) {
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
    update_cause(entry);
    if frozen!(SWITCHES.exchange_rows) != 0 {
        emit_row(entry, RowKind::Exchange);
    }
}
