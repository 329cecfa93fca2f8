//! Tracepoint programs with typed arguments (tp_btf). The kernel silently skips them when one interrupts another.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use tcp_reuse_watch_ebpf::{BY_SOCKOPS, Loss, flag};

use crate::bpf::{
    entry,
    frozen::frozen,
    handlers::{destroyed, received, reset_received, sending, state_changed},
    maps::count_loss,
    memory::Direct,
    message::MessageHeader,
    socket::{Socket, remote_port, state},
};

/// `inet_sock_set_state(const struct sock *sk, const int oldstate, const int newstate)`, since 4.16. Fires after the
/// new state is stored, for some changes in softirq.
#[btf_tracepoint(function = "inet_sock_set_state")]
fn state(ctx: BtfTracePointContext) -> i32 {
    if let Some(socket) = Socket::<Direct>::watched(ctx.arg(0)) {
        let (old, new) = (ctx.arg::<i32>(1) as u8, ctx.arg::<i32>(2) as u8);
        if !is_seen_by_sockops(&socket, new) {
            note_taken_callback(&socket);
            state_changed(&ctx, &socket, old, new);
        }
    }
    0
}

/// Counts a connection of which sock_ops no longer sees the changes although it has asked for them.
#[inline(always)]
fn note_taken_callback(socket: &Socket<Direct>) {
    if frozen!(SWITCHES.last_connect) == BY_SOCKOPS
        && !socket.has_state_callback()
        && let Some(entry) = entry::of(socket)
        && entry.flags & flag::CALLBACK != 0
    {
        entry.flags &= !flag::CALLBACK;
        count_loss(Loss::CallbackTaken);
    }
}

/// Whether sock_ops reliably sees this change too, so this hook need not handle it. For a connect, sock_ops sees the
/// call that follows the change.
#[inline(always)]
fn is_seen_by_sockops(socket: &Socket<Direct>, new: u8) -> bool {
    frozen!(SWITCHES.last_connect) == BY_SOCKOPS && (new == state::SYN_SENT || socket.has_state_callback())
}

/// `tcp_rcv_space_adjust(struct sock *sk)`, since 4.15. Fires after `copied_seq` moved, for every way of reading.
#[btf_tracepoint(function = "tcp_rcv_space_adjust")]
fn receive(ctx: BtfTracePointContext) -> i32 {
    if let Some(socket) = Socket::<Direct>::watched(ctx.arg(0)) {
        received(&socket);
    }
    0
}

/// `tcp_sendmsg_locked(const struct sock *sk, const struct msghdr *msg, const struct sk_buff *skb, int size_goal)`,
/// since 6.16. Fires before each chunk is copied.
#[btf_tracepoint(function = "tcp_sendmsg_locked")]
fn send(ctx: BtfTracePointContext) -> i32 {
    if let Some(socket) = Socket::<Direct>::watched(ctx.arg(0)) {
        sending(&socket, MessageHeader::<Direct>::new(ctx.arg(1)));
    }
    0
}

/// `tcp_receive_reset(struct sock *sk)`, since 4.15. Fires when `tcp_reset()` begins, before `sk_err` is set.
#[btf_tracepoint(function = "tcp_receive_reset")]
fn peer_reset(ctx: BtfTracePointContext) -> i32 {
    if let Some(socket) = Socket::<Direct>::watched(ctx.arg(0)) {
        reset_received(&socket);
    }
    0
}

/// `tcp_destroy_sock(struct sock *sk)`, since 4.16. The remote port is already 0 after a refused connect, EADDRNOTAVAIL
/// or linger 0, so only the map lookup identifies it.
#[btf_tracepoint(function = "tcp_destroy_sock")]
fn destroy(ctx: BtfTracePointContext) -> i32 {
    let sk = ctx.arg(0);
    let socket = if remote_port::<Direct>(sk) == 0 { Socket::<Direct>::new(sk) } else { Socket::<Direct>::watched(sk) };
    if let Some(socket) = socket {
        destroyed(&socket);
    }
    0
}
