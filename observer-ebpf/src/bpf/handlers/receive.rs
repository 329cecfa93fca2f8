//! The application has read from the socket, or tried to. `copied_seq` shows whether it consumed anything.

use crate::bpf::{entry, frozen::frozen, inspection::inspect_read, memory::Memory, socket::Socket};

#[inline(always)]
pub(in crate::bpf) fn received<M: Memory>(socket: &Socket<M>) {
    let Some(entry) = entry::of(socket) else { return };
    entry::catch_up(entry, socket);
    // A conversation cannot be followed without its sends.
    let pending = if frozen!(SWITCHES.sees_sends) == 0 { None } else { entry::pending_answer(entry, socket) };
    let outcome = match pending {
        Some((written, read)) => inspect_read(entry, written, read),
        None => None,
    };
    if outcome == Some(false) {
        entry::mark_inexact(entry);
    }
    entry::observe(entry, socket, outcome.is_some());
}
