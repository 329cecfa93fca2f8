//! An entry of the connection map: how it comes to be, what is counted on it, and how it ends.
//!
//! An entry is created in the caller's context at connect. Its phase only grows, and every count below is tied to a
//! phase or a flag, so that the same moment seen by two hooks counts once. All of it runs under the socket's lock.

mod adoption;
mod cause;
mod closing;
mod creation;
mod errno;
mod exactness;
mod failure;
mod idleness;
pub(super) mod pool;
mod progress;
mod removal;
mod row;
mod written;

use aya_ebpf::helpers::bpf_ktime_get_ns;
use tcp_reuse_watch_ebpf::Connection;

pub(super) use self::{
    adoption::adopt,
    cause::update_cause,
    closing::{close, close_unseen, note_end, stop_reading},
    creation::create,
    exactness::{mark_if_kernel_handled, mark_inexact},
    failure::fail,
    idleness::mark_busy,
    progress::{catch_up, establish, note_local, observe, pending_answer},
    removal::finish,
    written::end_sending,
};
use super::{maps::CONNECTIONS, memory::Memory, socket::Socket};

/// A connection's entry, in place.
pub(super) type Entry = &'static mut Connection;

/// CLOCK_MONOTONIC: some 60 ns, where what the socket has noted itself costs nothing.
#[inline(always)]
fn now_ns() -> u64 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_ktime_get_ns() }
}

/// The entry of a socket, if it is tracked.
#[inline(always)]
pub(super) fn of<M: Memory>(socket: &Socket<M>) -> Option<Entry> {
    at(socket.address())
}

/// The entry of the socket at an address.
#[inline(always)]
pub(super) fn at(socket: u64) -> Option<Entry> {
    // SAFETY: a pointer into a map value; entries are removed under the lock of their socket, which the caller holds.
    CONNECTIONS.get_ptr_mut(socket).map(|entry| unsafe { &mut *entry })
}

/// Reads a field anew, of which the verifier forgets what it was: it would walk through what follows once for each value.
#[inline(always)]
pub(super) fn reread<T: Copy>(field: &T) -> T {
    // SAFETY: the pointer is that of a reference. Volatile, or the compiler would take what it has in a register.
    unsafe { core::ptr::from_ref(field).read_volatile() }
}
