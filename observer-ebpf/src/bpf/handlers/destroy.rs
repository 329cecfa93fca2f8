//! The socket is destroyed: the final update, and the row.

use tcp_reuse_watch_ebpf::{CloseKind, Closer, Phase, flag};

use crate::bpf::{entry, memory::Memory, socket::Socket};

#[inline(always)]
pub(in crate::bpf) fn destroyed<M: Memory>(socket: &Socket<M>) {
    let Some(entry) = entry::of(socket) else { return };
    // If the last state change was skipped, this compensates for it, but how the connection ended stays unknown.
    entry::catch_up(entry, socket);
    entry::fail(entry, socket.error(), socket.shutdown());
    if entry.phase == Phase::Established as u8 && entry.flags & flag::PEER_RESET == 0 {
        entry::note_end(entry, socket, Closer::Unknown, CloseKind::Unknown);
    }
    entry::close(entry, socket);
    // `tcp_disconnect()` (SO_LINGER with 0) zeroes the byte counts and moves `copied_seq`. The numbers at CLOSE stay
    // the last valid ones then.
    if entry.phase == Phase::Closed as u8 && socket.received_bytes() == entry.received_bytes {
        entry::observe(entry, socket, false);
        entry.unread_bytes = socket.unread_bytes();
        entry::update_cause(entry);
    }
    entry::finish(entry);
}
