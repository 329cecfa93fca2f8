//! A received reset, which shows which side ended the connection.

use tcp_reuse_watch_ebpf::flag;

use crate::bpf::{entry, memory::Memory, socket::Socket};

/// `tcp_reset()` begins. It also runs for our own abort when data arrives after our close, so the reset counts as the
/// peer's only if we had not closed.
#[inline(always)]
pub(in crate::bpf) fn reset_received<M: Memory>(socket: &Socket<M>) {
    if let Some(entry) = entry::of(socket) {
        entry::observe(entry, socket, false);
        if entry.flags & flag::SENDING_ENDED == 0 {
            entry.flags |= flag::PEER_RESET;
        }
    }
}
