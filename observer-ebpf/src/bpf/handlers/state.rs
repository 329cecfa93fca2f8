//! A change of state. What was missed before it is made good here: the states say how far the connection has come.

use aya_ebpf::EbpfContext;
use tcp_reuse_watch_ebpf::{Connect, Cut, Ender};

use super::connecting;
use crate::bpf::{
    entry,
    memory::Memory,
    pool,
    socket::{Socket, state},
};

/// From `old` to `new`; the socket's own state may be either.
#[inline(always)]
pub(in crate::bpf) fn state_changed<M: Memory>(ctx: &impl EbpfContext, socket: &Socket<M>, old: u8, new: u8) {
    if new == state::SYN_SENT {
        connecting(ctx, socket, Connect::SynSent);
        return;
    }
    let from_connecting = old == state::SYN_SENT || old == state::SYN_RECV;
    if from_connecting && new == state::CLOSE {
        let (error, shutdown) = (socket.error(), socket.shutdown());
        // A connect that finds no local port ends here, in the caller's context, with no error and nothing shut, and
        // without ever reaching `tcp_connect()` (net/ipv4/tcp_ipv4.c, `tcp_v4_connect`: `inet_hash_connect` failed).
        let found = if error == 0 && shutdown == 0 && old == state::SYN_SENT {
            connecting(ctx, socket, Connect::NoLocalPort)
        } else {
            entry::of(socket)
        };
        if let Some(entry) = found {
            entry::fail(ctx, entry, error, shutdown);
        }
        return;
    }
    let Some(entry) = entry::of(socket) else { return };
    if new == state::SYN_RECV {
        // Both sides connected at once; ESTABLISHED follows.
        return;
    }
    entry::establish(ctx, entry, socket);
    match new {
        // The state changes before the FIN is queued (`tcp_close_state()`, then `tcp_send_fin()`).
        state::FIN_WAIT1 | state::LAST_ACK => entry::end_sending(entry, socket.queued_bytes()),
        state::FIN_WAIT2 | state::CLOSING => entry::end_sending(entry, socket.written()),
        // Seen late: by then it was queued.
        state::CLOSE if is_behind_own_fin(old) => entry::end_sending(entry, socket.queued_bytes().wrapping_sub(1)),
        _ => {}
    }
    entry::observe(ctx, entry, socket, false);
    match new {
        state::FIN_WAIT1 => {
            entry::stop_reading(entry, socket);
            entry::end(entry, socket, Ender::Local, Cut::Fin);
        }
        state::CLOSE_WAIT => entry::end(entry, socket, Ender::Peer, Cut::Fin),
        // We have ended sending, and now the peer has, too.
        state::CLOSING => pool::stop_serving(entry),
        state::CLOSE => {
            // Seen late: which FIN came first, the state before tells.
            match old {
                state::FIN_WAIT1 | state::FIN_WAIT2 | state::CLOSING => {
                    entry::end(entry, socket, Ender::Local, Cut::Fin)
                }
                state::CLOSE_WAIT | state::LAST_ACK => entry::end(entry, socket, Ender::Peer, Cut::Fin),
                _ => {}
            }
            entry::close(ctx, entry, socket);
            // Else its application may read from it yet, and it is over when the socket is gone. Here it costs less, and
            // sock_ops cannot be skipped, as a tracepoint can.
            if socket.is_orphan() {
                entry::finish(ctx, entry);
            }
        }
        _ => {}
    }
}

/// Whether our FIN is sent, or about to be, in a state.
#[inline(always)]
fn is_behind_own_fin(of: u8) -> bool {
    matches!(of, state::FIN_WAIT1 | state::FIN_WAIT2 | state::CLOSING | state::LAST_ACK)
}
