//! A connect, in the caller's context: the only moment at which it is known whose connection it is.

use aya_ebpf::EbpfContext;
use tcp_reuse_watch_ebpf::Phase;

use crate::bpf::{
    entry::{self, Entry},
    frozen::frozen,
    socket::Socket,
};

/// Where in the connect the hook is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::bpf) enum Connect {
    /// At SYN_SENT: a new connect begins, whatever the socket was before.
    Begins,
    /// Later in the same connect: only what was missed is made good.
    GoesOn,
}

#[inline(always)]
pub(in crate::bpf) fn connecting(ctx: &impl EbpfContext, socket: &Socket, moment: Connect) -> Option<Entry> {
    if let Some(entry) = entry::of(socket) {
        if moment == Connect::GoesOn && entry.phase == Phase::Connecting as u8 {
            entry::note_local(entry, socket);
            return Some(entry);
        }
        // A connect is retried on the same socket, or its address is used again: the old one is over.
        entry::fail(ctx, entry, u32::MAX, 0);
        entry::close_unseen(entry);
        entry::finish(ctx, entry);
    }
    // With sock_ops a second hook of the same connect will come.
    let last_chance = moment == Connect::GoesOn || frozen!(SWITCHES.sockops) == 0;
    let entry = entry::create(ctx, socket, last_chance)?;
    entry::note_local(entry, socket);
    Some(entry)
}
