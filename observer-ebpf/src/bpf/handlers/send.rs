//! The application sends: the last moment to count the answer before it, and the only one to see what is spoken.

use aya_ebpf::EbpfContext;
use tcp_reuse_watch_ebpf::{Burst, Connection, Phase, Send};

use crate::bpf::{
    entry,
    hearing::{hear_send, hear_syn},
    memory::Memory,
    message::{self, Buffers, MessageHeader},
    socket::Socket,
};

/// A chunk of a message is about to be added to what was written.
#[inline(always)]
pub(in crate::bpf) fn sending<M: Memory>(ctx: &impl EbpfContext, socket: &Socket<M>, message: MessageHeader<M>) {
    let Some(entry) = entry::of(socket) else { return };
    if let Some(send) = begins(ctx, entry, socket, message.left()) {
        hear(entry, || message.buffers(), send);
    }
}

/// `len` bytes of pages are about to be added to what was written: a sendfile or splice, whose bytes cannot be looked at.
#[inline(always)]
pub(in crate::bpf) fn sending_pages<M: Memory>(ctx: &impl EbpfContext, socket: &Socket<M>, len: u32) {
    let Some(entry) = entry::of(socket) else { return };
    if let Some(send) = begins(ctx, entry, socket, len) {
        hear(entry, message::pages, send);
    }
}

/// A connect sends data with its SYN (Fast Open): no hook will see it being sent.
#[inline(always)]
pub(in crate::bpf) fn sending_syn<M: Memory>(entry: &mut Connection, socket: &Socket<M>) {
    if let Some(msghdr) = socket.syn_message() {
        hear_syn(entry.socket, msghdr as u64);
    }
}

/// Counts what was answered so far. The send that begins here, if it has to be heard: not what goes on with one, and not
/// where every send asks.
#[inline(always)]
fn begins<M: Memory>(ctx: &impl EbpfContext, entry: &mut Connection, socket: &Socket<M>, left: u32) -> Option<Send> {
    entry::catch_up(ctx, entry, socket);
    if entry.phase != Phase::Established as u8 || left == 0 {
        return None;
    }
    let at = socket.written();
    let burst = entry.conversation.turn.send(at, left);
    if burst == Burst::Continues {
        return None;
    }
    entry::observe(ctx, entry, socket, false);
    let consumed = socket.consumed();
    let received = consumed + u64::from(socket.unread_bytes());
    entry.conversation.turn.ask(at, received);
    entry::busy(entry);
    if !entry.conversation.listens(at, left) {
        return None;
    }
    Some(Send { at, received, consumed, len: left, after_unseen: burst == Burst::BeginsAfterUnseen, greeted: false })
}

#[inline(always)]
fn hear(entry: &mut Connection, buffers: impl FnOnce() -> Option<Buffers>, send: Send) {
    if !hear_send(entry, buffers, send) {
        entry::mark_inexact(entry);
    }
}
