//! A state change. The states show how far the connection has come, so this compensates for skipped hooks.

use aya_ebpf::EbpfContext;
use tcp_reuse_watch_ebpf::{CloseKind, Closer, Connect, Connection};

use super::connecting;
use crate::bpf::{
    entry::{self, pool},
    memory::Memory,
    socket::{Socket, state},
};

/// A change from `old` to `new`. The socket's own state may be either.
#[inline(always)]
pub(in crate::bpf) fn state_changed<M: Memory>(ctx: &impl EbpfContext, socket: &Socket<M>, old: u8, new: u8) {
    if new == state::SYN_SENT {
        connecting(ctx, socket, Connect::SynSent);
        return;
    }
    let from_connecting = old == state::SYN_SENT || old == state::SYN_RECV;
    if from_connecting && new == state::CLOSE {
        let (error, shutdown) = (socket.error(), socket.shutdown());
        // A connect without a free local port ends here, in the caller's context, with no error and nothing shut. It
        // never reaches `tcp_connect()` (net/ipv4/tcp_ipv4.c, `tcp_v4_connect`: `inet_hash_connect` failed).
        let found = if error == 0 && shutdown == 0 && old == state::SYN_SENT {
            connecting(ctx, socket, Connect::NoLocalPort)
        } else {
            entry::of(socket)
        };
        if let Some(entry) = found {
            entry::fail(entry, error, shutdown);
        }
        return;
    }
    let Some(entry) = entry::of(socket) else { return };
    if new == state::SYN_RECV {
        // Both sides connected at once. ESTABLISHED follows.
        return;
    }
    entry::establish(entry, socket);
    entry.change = [old, new];
    match new {
        // The state changes before the FIN is queued (`tcp_close_state()`, then `tcp_send_fin()`).
        state::FIN_WAIT1 | state::LAST_ACK => entry::end_sending(entry, socket.queued_bytes()),
        state::FIN_WAIT2 | state::CLOSING => entry::end_sending(entry, socket.written()),
        // Seen late: the FIN was already queued.
        state::CLOSE if is_behind_own_fin(old) => entry::end_sending(entry, socket.queued_bytes().wrapping_sub(1)),
        _ => {}
    }
    entry::observe(entry, socket, false);
    match new_state(entry) {
        // FIN_WAIT2 also occurs when a socket that had ended sending is closed (`__tcp_close()`).
        state::FIN_WAIT1 | state::FIN_WAIT2 => entry::stop_reading(entry, socket),
        // Both sides have ended sending.
        state::CLOSING | state::LAST_ACK => pool::stop_serving(entry),
        _ => {}
    }
    if let Some(by) = closer(entry) {
        entry::note_end(entry, socket, by, CloseKind::Fin);
    }
    if new_state(entry) == state::CLOSE {
        entry::close(entry, socket);
        // Otherwise the application may still read, and the connection finishes when the socket is destroyed. Finishing
        // here is cheaper, and the kernel never skips sock_ops, as it may skip a tracepoint.
        if socket.is_orphan() {
            entry::finish(entry);
        }
    }
}

/// Which side sent the first FIN, judged by the change, or by the old state if the hook saw it late.
#[inline(always)]
fn closer(entry: &Connection) -> Option<Closer> {
    let [old, new] = entry::reread(&entry.change);
    match new {
        state::FIN_WAIT1 => Some(Closer::Local),
        state::CLOSE_WAIT => Some(Closer::Peer),
        state::CLOSE => match old {
            state::FIN_WAIT1 | state::FIN_WAIT2 | state::CLOSING => Some(Closer::Local),
            state::CLOSE_WAIT | state::LAST_ACK => Some(Closer::Peer),
            _ => None,
        },
        _ => None,
    }
}

#[inline(always)]
fn new_state(entry: &Connection) -> u8 {
    entry::reread(&entry.change)[1]
}

/// Whether our FIN is sent or about to be sent in this state.
#[inline(always)]
fn is_behind_own_fin(of: u8) -> bool {
    matches!(of, state::FIN_WAIT1 | state::FIN_WAIT2 | state::CLOSING | state::LAST_ACK)
}
