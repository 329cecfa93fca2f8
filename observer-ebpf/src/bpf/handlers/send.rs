//! The application sends: the last moment to count the answer before it, and the only one to see what is spoken.

use aya_ebpf::EbpfContext;
use tcp_reuse_watch_ebpf::{Burst, Connection, Conversation, Exactness, Phase, Send};

use crate::bpf::{
    entry,
    memory::{Memory, Probed},
    message::{self, Buffers, MessageHeader},
    socket::Socket,
};

/// A chunk of a message is about to be added at `write_seq`.
#[inline(always)]
pub(in crate::bpf) fn sending<M: Memory>(ctx: &impl EbpfContext, socket: &Socket<M>, message: MessageHeader<M>) {
    let Some(entry) = entry::of(socket) else { return };
    if let Some(send) = begins(ctx, entry, socket, message.left()) {
        hear(entry, message.buffers(), send);
    }
}

/// `len` bytes of pages are about to be added at `write_seq`: a sendfile or splice, whose bytes cannot be looked at.
#[inline(always)]
pub(in crate::bpf) fn sending_pages<M: Memory>(ctx: &impl EbpfContext, socket: &Socket<M>, len: u32) {
    let Some(entry) = entry::of(socket) else { return };
    if let Some(send) = begins(ctx, entry, socket, len) {
        hear(entry, message::pages(), send);
    }
}

/// A connect sends data with its SYN (Fast Open): no hook will see it being sent.
#[inline(always)]
pub(in crate::bpf) fn sending_syn<M: Memory>(entry: &mut Connection, socket: &Socket<M>) {
    let Some(msghdr) = socket.syn_message() else { return };
    let message = MessageHeader::<Probed>::new(msghdr);
    let len = message.left();
    if len > 0 {
        // Sequence numbers count from 0 until the connection begins.
        let _ = entry.conversation.turn.send(0, len);
        let send =
            Send { seq: 0, len, after_unseen: false, first_sent: 0, first_received: 0, received: 0, consumed: 0 };
        hear(entry, message.buffers(), send);
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
    let seq = socket.write_seq();
    let burst = entry.conversation.turn.send(seq, left);
    if burst == Burst::Continues {
        return None;
    }
    entry::observe(ctx, entry, socket);
    let consumed = socket.consumed();
    let received = consumed.wrapping_add(socket.unread_bytes());
    entry.conversation.turn.ask(seq, received);
    entry::busy(entry);
    if !entry.conversation.listens(seq) {
        return None;
    }
    Some(Send {
        seq,
        len: left,
        after_unseen: burst == Burst::BeginsAfterUnseen,
        first_sent: socket.first_sent(),
        first_received: socket.first_received(),
        received,
        consumed,
    })
}

#[inline(always)]
fn hear(entry: &mut Connection, message: Option<Buffers>, send: Send) {
    let is_exact = message.is_some_and(|message| {
        message.send = send;
        is_exact(&mut entry.conversation, message)
    });
    if !is_exact {
        entry::mark_inexact(entry);
    }
}

/// A function of its own in BPF too: it is large, and called from every kind of hook.
#[inline(never)]
fn is_exact(conversation: &mut Conversation, message: Buffers) -> bool {
    let send = message.send;
    conversation.hear(message, send) == Exactness::Exact
}
