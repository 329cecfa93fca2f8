//! The application sends: the last moment to count the answer before it, and the only one to see what is spoken.

use aya_ebpf::EbpfContext;
use tcp_reuse_watch_ebpf::{Burst, Head, Phase, Protocol};

use crate::bpf::{entry, memory::Memory, message::Message, socket::Socket};

/// A chunk of `message` is about to be added at `write_seq`.
#[inline(always)]
pub(in crate::bpf) fn sending<M: Memory>(ctx: &impl EbpfContext, socket: &Socket<M>, message: Message<M>) {
    let Some(entry) = entry::of(socket) else { return };
    entry::catch_up(ctx, entry, socket);
    if entry.phase != Phase::Established as u8 {
        return;
    }
    let (seq, left) = (socket.write_seq(), message.left());
    let burst = entry.turn.send(seq, left);
    if burst == Burst::Continues {
        return;
    }
    entry::observe(ctx, entry, socket);
    let unseen = burst == Burst::BeginsAfterUnseen;
    let is_first = entry.protocol == Protocol::Unknown as u8;
    let is_tls = entry.protocol == Protocol::Tls as u8;
    if !is_first && !is_tls {
        return;
    }
    let Some(head) = message.head() else {
        // Whether this asked something cannot be told.
        entry::mark_inexact(entry);
        return;
    };
    let head = Head::of(head, left);
    if is_first {
        entry.protocol = match head {
            Head::TlsSetup | Head::TlsData => Protocol::Tls,
            Head::Http2Preface => Protocol::Http2,
            Head::Other => Protocol::Plain,
        } as u8;
    }
    // HTTP/2 interleaves its requests. Behind unseen bytes of a TLS connection it is open whether they asked.
    if head == Head::Http2Preface || (unseen && (is_tls || head != Head::Other)) {
        entry::mark_inexact(entry);
    }
    if head == Head::TlsSetup {
        entry.turn.excuse(seq, left);
    }
}

/// `len` bytes of pages are about to be added at `write_seq`: a sendfile or splice, whose bytes cannot be looked at.
#[inline(always)]
pub(in crate::bpf) fn sending_pages<M: Memory>(ctx: &impl EbpfContext, socket: &Socket<M>, len: u32) {
    let Some(entry) = entry::of(socket) else { return };
    if entry.phase != Phase::Established as u8 || entry.turn.send(socket.write_seq(), len) == Burst::Continues {
        return;
    }
    entry::observe(ctx, entry, socket);
    if entry.protocol == Protocol::Unknown as u8 || entry.protocol == Protocol::Tls as u8 {
        entry::mark_inexact(entry);
    }
}
