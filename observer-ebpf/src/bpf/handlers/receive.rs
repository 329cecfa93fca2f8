//! The application has read from the socket (or tried to: whether it consumed anything, `copied_seq` tells).

use aya_ebpf::EbpfContext;

use crate::bpf::{entry, memory::Memory, socket::Socket};

#[inline(always)]
pub(in crate::bpf) fn received<M: Memory>(ctx: &impl EbpfContext, socket: &Socket<M>) {
    if let Some(entry) = entry::of(socket) {
        entry::observe(ctx, entry, socket);
    }
}
