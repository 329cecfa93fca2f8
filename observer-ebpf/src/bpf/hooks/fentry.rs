//! The functions of a connection's life, by fentry: typed arguments and direct loads. The kernel may skip them as it may
//! skip tracepoints.

use aya_ebpf::{macros::fentry, programs::FEntryContext};

use tcp_reuse_watch_ebpf::Connect;

use crate::bpf::{
    handlers::{closing, connecting, sending, sending_pages},
    memory::Direct,
    message::MessageHeader,
    socket::Socket,
};

/// `int tcp_connect(struct sock *sk)`, net/ipv4/tcp_output.c: the SYN is about to be built; the local port is known.
#[fentry(function = "tcp_connect")]
fn fentry_connect(ctx: FEntryContext) -> i32 {
    if let Some(socket) = Socket::<Direct>::watched(ctx.arg(0)) {
        connecting(&ctx, &socket, Connect::Function);
    }
    0
}

/// `void tcp_close(struct sock *sk, long timeout)`, net/ipv4/tcp.c.
#[fentry(function = "tcp_close")]
fn fentry_close(ctx: FEntryContext) -> i32 {
    if let Some(socket) = Socket::<Direct>::watched(ctx.arg(0)) {
        closing(&socket);
    }
    0
}

/// `int tcp_sendmsg_locked(struct sock *sk, struct msghdr *msg, size_t size)`, net/ipv4/tcp.c, since 4.14: once a send.
#[fentry(function = "tcp_sendmsg_locked")]
fn fentry_send(ctx: FEntryContext) -> i32 {
    if let Some(socket) = Socket::<Direct>::watched(ctx.arg(0)) {
        sending(&ctx, &socket, MessageHeader::<Direct>::new(ctx.arg(1)));
    }
    0
}

/// `ssize_t do_tcp_sendpages(struct sock *sk, struct page *page, int offset, size_t size, int flags)`, net/ipv4/tcp.c,
/// until 6.4: what sendfile and splice use. Later ones go through `tcp_sendmsg_locked()`.
#[fentry(function = "do_tcp_sendpages")]
fn fentry_pages(ctx: FEntryContext) -> i32 {
    if let Some(socket) = Socket::<Direct>::watched(ctx.arg(0)) {
        sending_pages(&ctx, &socket, ctx.arg::<u64>(3) as u32);
    }
    0
}
