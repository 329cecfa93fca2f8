//! Adoption of pre-existing connections.

use tcp_reuse_watch_ebpf::{Connection, Conversation, Phase, flag};

use super::{exactness::mark_inexact, idleness::mark_idle, pool, progress::note_local_address};
use crate::bpf::{
    counters::{Counters, count},
    frozen::frozen,
    memory::Memory,
    socket::{Socket, state},
};

/// Adopts a connection that was open when the watch began.
#[inline(always)]
pub(in crate::bpf) fn adopt<M: Memory>(entry: &mut Connection, socket: &Socket<M>) {
    entry.phase = Phase::Established as u8;
    entry.flags |= flag::PRE_EXISTING;
    let written = socket.written();
    if written != 0 {
        entry.flags |= flag::USED_BEFORE;
        if socket.state() == state::CLOSE_WAIT {
            // It has asked and can serve no more, so neither counter includes it.
            entry.flags |= flag::ASKED;
        } else {
            pool::record_ask(entry);
        }
    }
    entry.conversation = Conversation::resumed(written, socket.consumed(), socket.is_answer_due());
    note_local_address(entry, socket);
    if frozen!(SWITCHES.sees_sends) == 0 {
        mark_inexact(entry);
    }
    if let Some(counters) = Counters::of(entry) {
        count!(counters, pre_existing);
    }
    if !entry.conversation.turn.has_open_ask(written) {
        mark_idle(entry);
    }
}
