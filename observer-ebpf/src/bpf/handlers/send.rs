//! The application sends. This is the last moment to count the previous answer, and the only one that shows the sent
//! bytes.

use tcp_reuse_watch_ebpf::{Chunk, Connection, Phase, Send, flag};

use crate::bpf::{
    entry::{self, pool},
    inspection::{inspect_send, inspect_syn},
    memory::Memory,
    message::{self, Buffers, MessageHeader},
    socket::Socket,
};

/// A chunk of a message is about to be queued.
#[inline(always)]
pub(in crate::bpf) fn sending<M: Memory>(socket: &Socket<M>, message: MessageHeader<M>) {
    handle(socket, message.remaining(), || message.buffers());
}

/// `len` bytes of pages are about to be queued, by sendfile or splice. Their bytes cannot be read.
#[inline(always)]
pub(in crate::bpf) fn sending_pages<M: Memory>(socket: &Socket<M>, len: u32) {
    handle(socket, len, message::unreadable);
}

/// A connect sends data with its SYN (Fast Open), which no send hook will see.
#[inline(always)]
pub(in crate::bpf) fn sending_syn<M: Memory>(entry: &mut Connection, socket: &Socket<M>) {
    if let Some(msghdr) = socket.syn_message() {
        inspect_syn(entry.socket, msghdr as u64);
    }
}

/// Counts the answers so far. If a send begins here, inspects it and notes whether it asks. A send is not inspected if
/// it is already known to ask or to continue an ask.
#[inline(always)]
fn handle<M: Memory>(socket: &Socket<M>, left: u32, buffers: impl FnOnce() -> Option<Buffers>) {
    let Some(entry) = entry::of(socket) else { return };
    let Some(send) = begin_send(entry, socket, left) else { return };
    let end = send.at + u64::from(left);
    if entry.conversation.needs_inspection(send.at, left) && !inspect_send(entry, buffers, send) {
        entry::mark_inexact(entry);
    }
    pool::note_send(entry, end);
}

/// The send that begins here. None if this chunk continues one.
#[inline(always)]
fn begin_send<M: Memory>(entry: &mut Connection, socket: &Socket<M>, left: u32) -> Option<Send> {
    entry::catch_up(entry, socket);
    // A send fails once sending has ended.
    if entry.phase != Phase::Established as u8 || left == 0 || entry.flags & flag::SENDING_ENDED != 0 {
        return None;
    }
    let at = socket.written();
    let chunk = entry.conversation.turn.begin_chunk(at, left);
    if chunk == Chunk::Continues {
        return None;
    }
    entry::observe(entry, socket, false);
    let consumed = socket.consumed();
    let received = consumed + u64::from(socket.unread_bytes());
    entry.conversation.turn.ask(at, received);
    entry::mark_busy(entry);
    Some(Send { at, received, consumed, len: left, after_unseen: chunk == Chunk::BeginsAfterUnseen, greeted: false })
}
