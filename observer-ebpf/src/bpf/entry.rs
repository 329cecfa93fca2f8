//! Entries of the connection map: creation, progress and end.
//!
//! An entry is created in the caller's context at connect. Its phase only advances, and every count is tied to a phase
//! or a flag, so a moment that two hooks see counts once. All of this runs under the socket's lock.

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

use aya_ebpf::{EbpfContext, helpers::bpf_ktime_get_ns};
use aya_log_ebpf::warn;
use tcp_reuse_watch_ebpf::Connection;

pub(super) use self::{
    adoption::adopt,
    cause::update_cause,
    closing::{close, note_end, stop_reading},
    creation::create,
    exactness::{mark_if_kernel_handled, mark_inexact},
    failure::fail,
    idleness::mark_busy,
    progress::{catch_up, establish, note_local_address, observe, pending_answer},
    removal::{finish, finish_stale},
    written::end_sending,
};
use super::{maps::CONNECTIONS, memory::Memory, socket::Socket};

/// A connection's entry, in place in the map.
pub(super) type Entry = &'static mut Connection;

/// CLOCK_MONOTONIC. Costs about 60 ns, while the socket's own timestamps are free.
#[inline(always)]
fn now_ns() -> u64 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_ktime_get_ns() }
}

/// The entry of a socket, if it is tracked. An entry that another socket has left at this address is finished.
#[inline(always)]
pub(super) fn of<M: Memory>(socket: &Socket<M>) -> Option<Entry> {
    let entry = at(socket.address())?;
    if differ(entry.group.port, socket.remote_port()) | differ(entry.local_port, socket.local_port()) == 0 {
        return Some(entry);
    }
    finish_stale(entry.socket);
    None
}

/// Not 0 if these are ports of two sockets. A port of 0 is unknown: a socket has no local port before the connect, and
/// loses its ports when it is closed or disconnected (`inet_put_port()`, `__inet_hash_connect()`, `tcp_disconnect()`).
///
/// A product instead of comparisons, because the verifier walks what follows once for each branch.
#[inline(always)]
fn differ(port: u16, other: u16) -> u64 {
    u64::from(port ^ other) * u64::from(port) * u64::from(other)
}

/// The entry of the socket at this address.
#[inline(always)]
pub(super) fn at(socket: u64) -> Option<Entry> {
    // SAFETY: a pointer into a map value. Entries are removed under their socket's lock, which the caller holds.
    CONNECTIONS.get_ptr_mut(socket).map(|entry| unsafe { &mut *entry })
}

/// Reads a field again, so the verifier forgets its value. It would otherwise walk the code that follows once for each
/// value.
#[inline(always)]
pub(super) fn reread<T: Copy>(field: &T) -> T {
    // SAFETY: the pointer comes from a reference. Volatile, or the compiler would reuse the value in a register.
    unsafe { core::ptr::from_ref(field).read_volatile() }
}

/// Logs a connection that got no entry. Not in `creation.rs`, because the program stores the path of the calling module
/// and of its file byte by byte.
#[inline(always)]
fn warn_untracked(ctx: &impl EbpfContext, port: u16, error: i32) {
    warn!(ctx, "connection to port {} not tracked: error {}", port, error);
}
