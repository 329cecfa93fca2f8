//! Pre-existing sockets, as the kernel's iterator lists them. The iterator runs after every hook is attached and leaves
//! sockets with an entry alone, so no connection is missed or counted twice.

use aya_ebpf::{EbpfContext, bindings::BPF_NOEXIST};
use tcp_reuse_watch_ebpf::{CloseKind, Closer, Loss, Owner, UNKNOWN_OWNER};

use crate::bpf::{
    entry,
    maps::{OWNERS, count_loss, has_listener},
    memory::Memory,
    process::Process,
    socket::{Socket, state},
};

/// Lists a socket whose process user space has to find. `run` numbers the run of the iterator.
#[inline(always)]
pub(in crate::bpf) fn list<M: Memory>(socket: &Socket<M>, run: u64) {
    if is_outbound(socket, run) && OWNERS.insert(socket.inode(), Owner::EMPTY, 0).is_err() {
        count_loss(Loss::Ownerless);
    }
}

/// Adopts a socket that has no entry.
#[inline(always)]
pub(in crate::bpf) fn take_over<M: Memory>(ctx: &impl EbpfContext, socket: &Socket<M>, run: u64) {
    if !is_outbound(socket, run) || entry::of(socket).is_some() {
        return;
    }
    // SAFETY: entries are not removed while the iterator runs.
    let owner = unsafe { OWNERS.get(socket.inode()) }.filter(|owner| owner.tgid != 0);
    let Owner { tgid, start_ticks, comm, .. } = *owner.unwrap_or(&UNKNOWN_OWNER);
    let process = Process { tgid, start_ticks, comm };
    let Some(entry) = entry::create(ctx, socket, &process, BPF_NOEXIST, true) else { return };
    // A connect in progress counts as opened during the watch.
    if socket.state() != state::SYN_SENT {
        entry::adopt(entry, socket);
    }
    if socket.state() == state::CLOSE_WAIT {
        entry::note_end(entry, socket, Closer::Peer, CloseKind::Fin);
    }
}

/// Checks an open socket for a consumer inside the kernel, which no hook sees.
#[inline(always)]
pub(in crate::bpf) fn check_kernel_handled<M: Memory>(socket: &Socket<M>) {
    if socket.is_kernel_handled()
        && let Some(entry) = entry::of(socket)
    {
        entry::mark_if_kernel_handled(entry, socket);
    }
}

/// Whether the socket is open or connecting, and no listener that this run has listed has accepted it.
#[inline(always)]
fn is_outbound<M: Memory>(socket: &Socket<M>, run: u64) -> bool {
    matches!(socket.state(), state::ESTABLISHED | state::SYN_SENT | state::CLOSE_WAIT)
        && !has_listener(socket.local_port(), run)
}
