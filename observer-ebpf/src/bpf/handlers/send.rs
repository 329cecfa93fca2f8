//! The application sends: the last moment to count the answer before it, and the only one to see what is spoken.

use aya_ebpf::EbpfContext;
use tcp_reuse_watch_ebpf::{Burst, Connection, Phase, Send, flag};

use crate::bpf::{
    entry::{self, pool},
    hearing::{hear_send, hear_syn},
    memory::Memory,
    message::{self, Buffers, MessageHeader},
    socket::Socket,
};

/// A chunk of a message is about to be added to what was written.
#[inline(always)]
pub(in crate::bpf) fn sending<M: Memory>(ctx: &impl EbpfContext, socket: &Socket<M>, message: MessageHeader<M>) {
    take(ctx, socket, message.left(), || message.buffers());
}

/// `len` bytes of pages are about to be added to what was written: a sendfile or splice, whose bytes cannot be looked at.
#[inline(always)]
pub(in crate::bpf) fn sending_pages<M: Memory>(ctx: &impl EbpfContext, socket: &Socket<M>, len: u32) {
    take(ctx, socket, len, message::pages);
}

/// A connect sends data with its SYN (Fast Open): no hook will see it being sent.
#[inline(always)]
pub(in crate::bpf) fn sending_syn<M: Memory>(entry: &mut Connection, socket: &Socket<M>) {
    if let Some(msghdr) = socket.syn_message() {
        hear_syn(entry.socket, msghdr as u64);
    }
}

/// Counts what was answered so far; if a send begins here, hears it and notes whether it asks. Not heard is what is known
/// already: that it asks, or that it goes on with what was asked.
#[inline(always)]
fn take<M: Memory>(ctx: &impl EbpfContext, socket: &Socket<M>, left: u32, buffers: impl FnOnce() -> Option<Buffers>) {
    let Some(entry) = entry::of(socket) else { return };
    let Some(send) = begins(ctx, entry, socket, left) else { return };
    let end = send.at + u64::from(left);
    if entry.conversation.listens(send.at, left) && !hear_send(entry, buffers, send) {
        entry::mark_inexact(entry);
    }
    pool::note_send(entry, end);
}

/// The send that begins here; None where one goes on.
#[inline(always)]
fn begins<M: Memory>(ctx: &impl EbpfContext, entry: &mut Connection, socket: &Socket<M>, left: u32) -> Option<Send> {
    entry::catch_up(ctx, entry, socket);
    // Behind the end of sending a send fails.
    if entry.phase != Phase::Established as u8 || left == 0 || entry.flags & flag::SENDING_ENDED != 0 {
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
    Some(Send { at, received, consumed, len: left, after_unseen: burst == Burst::BeginsAfterUnseen, greeted: false })
}
