//! Marks for connections that cannot be counted exactly.

use tcp_reuse_watch_ebpf::{Connection, TARGET_UNCLEAR, flag};

use super::pool;
use crate::bpf::{
    atomic,
    counters::{Counters, count},
    memory::Memory,
    socket::Socket,
};

/// Marks a connection, because its exchanges cannot be counted exactly.
#[inline(always)]
pub(in crate::bpf) fn mark_inexact(entry: &mut Connection) {
    if entry.flags & flag::INEXACT != 0 {
        return;
    }
    entry.flags |= flag::INEXACT;
    if let Some(counters) = Counters::of(entry) {
        count!(counters, marked);
        if entry.exchanges > 0 {
            // SAFETY: only an address inside the map value is computed.
            atomic::add(unsafe { &raw mut (*counters.0).inexact }, entry.exchanges);
        }
    }
}

/// Marks a connection whose payload another part of the kernel handles, because nothing on it can be counted.
#[inline(always)]
pub(in crate::bpf) fn mark_if_kernel_handled<M: Memory>(entry: &mut Connection, socket: &Socket<M>) {
    if socket.is_kernel_handled() {
        mark_inexact(entry);
        pool::note_target(entry, TARGET_UNCLEAR);
    }
}
