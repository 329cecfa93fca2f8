//! Sockets that were there before the watch began, as the kernel lists them: all of them are looked at after everything
//! is attached, and one that has an entry by then is left alone. So none is missed, and none is counted twice.

use aya_ebpf::{EbpfContext, bindings::BPF_NOEXIST};
use tcp_reuse_watch_ebpf::{Cut, Ender, Owner, UNKNOWN_OWNER};

use crate::bpf::{
    entry,
    maps::{OWNERS, has_listener},
    memory::Memory,
    process::Process,
    socket::{Socket, state},
};

/// Notes a socket whose process is wanted.
#[inline(always)]
pub(in crate::bpf) fn list<M: Memory>(socket: &Socket<M>) {
    if is_outbound(socket) {
        // When there is no room its process stays unknown.
        let _ = OWNERS.insert(socket.inode(), Owner::EMPTY, 0);
    }
}

/// Takes a socket over that has no entry.
#[inline(always)]
pub(in crate::bpf) fn take_over<M: Memory>(ctx: &impl EbpfContext, socket: &Socket<M>) {
    if !is_outbound(socket) || entry::of(socket).is_some() {
        return;
    }
    // SAFETY: entries are not removed while the iterator runs.
    let owner = unsafe { OWNERS.get(socket.inode()) }.filter(|owner| owner.tgid != 0);
    let Owner { tgid, start_ticks, comm, .. } = *owner.unwrap_or(&UNKNOWN_OWNER);
    let process = Process { tgid, start_ticks, comm };
    let Some(entry) = entry::create(ctx, socket, &process, BPF_NOEXIST, true) else { return };
    // A connect that began before and is not through yet is opened during the watch.
    if socket.state() != state::SYN_SENT {
        entry::adopt(entry, socket);
    }
    if socket.state() == state::CLOSE_WAIT {
        entry::note_end(entry, socket, Ender::Peer, Cut::Fin);
    }
}

/// Looks at an open socket for what hooks do not see.
#[inline(always)]
pub(in crate::bpf) fn check_kernel_handled<M: Memory>(socket: &Socket<M>) {
    if socket.is_kernel_handled()
        && let Some(entry) = entry::of(socket)
    {
        entry::mark_if_kernel_handled(entry, socket);
    }
}

/// Whether it is open, or will be, and was not accepted from a listener of this machine.
#[inline(always)]
fn is_outbound<M: Memory>(socket: &Socket<M>) -> bool {
    matches!(socket.state(), state::ESTABLISHED | state::SYN_SENT | state::CLOSE_WAIT)
        && !has_listener(socket.local_port())
}
