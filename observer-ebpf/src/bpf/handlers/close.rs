//! The application closes its socket (or the kernel does, when the process ends).

use crate::bpf::{entry, memory::Memory, socket::Socket};

/// `tcp_close()` begins, before it takes the socket's lock: nothing may be counted here, a softirq may be at the entry.
/// It can come twice.
#[inline(always)]
pub(in crate::bpf) fn closing<M: Memory>(socket: &Socket<M>) {
    if let Some(entry) = entry::of(socket) {
        entry.close_called = 1;
    }
}
