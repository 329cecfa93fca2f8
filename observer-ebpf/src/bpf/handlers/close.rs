//! The application closes its socket, or the kernel does when the process exits.

use crate::bpf::{entry, memory::Memory, socket::Socket};

/// `tcp_close()` begins and has not taken the socket's lock. Nothing may be counted here, because a softirq may be
/// using the entry. Can come twice.
#[inline(always)]
pub(in crate::bpf) fn closing<M: Memory>(socket: &Socket<M>) {
    if let Some(entry) = entry::of(socket) {
        entry.close_called = 1;
    }
}
