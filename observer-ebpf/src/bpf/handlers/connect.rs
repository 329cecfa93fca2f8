//! A connect in the caller's context, the only moment that shows which process owns the connection.

use aya_ebpf::{EbpfContext, bindings::BPF_ANY};
use tcp_reuse_watch_ebpf::{Connect, Phase};

use super::send::sending_syn;
use crate::bpf::{
    entry::{self, Entry},
    frozen::frozen,
    memory::Memory,
    process,
    socket::Socket,
};

#[inline(always)]
pub(in crate::bpf) fn connecting<M: Memory>(
    ctx: &impl EbpfContext,
    socket: &Socket<M>,
    moment: Connect,
) -> Option<Entry> {
    let last_chance = moment as u32 >= frozen!(SWITCHES.last_connect);
    let entry = find_or_create(ctx, socket, moment, last_chance)?;
    entry::note_local_address(entry, socket);
    if moment as u32 == frozen!(SWITCHES.last_connect) {
        // Not earlier: data for the SYN may be set after the connect that deferred it (TCP_FASTOPEN_CONNECT).
        sending_syn(entry, socket);
    }
    Some(entry)
}

#[inline(always)]
fn find_or_create<M: Memory>(
    ctx: &impl EbpfContext,
    socket: &Socket<M>,
    moment: Connect,
    last_chance: bool,
) -> Option<Entry> {
    if let Some(entry) = entry::of(socket) {
        if moment != Connect::SynSent && entry.phase == Phase::Connecting as u8 {
            return Some(entry);
        }
        // A retried connect on the same socket, or a reused address: the old connection has ended.
        entry::finish_stale(entry.socket);
    }
    entry::create(ctx, socket, &process::current(), BPF_ANY, last_chance)
}
