//! fentry programs on the functions of a connection's life, with typed arguments and direct loads. The kernel may skip
//! them, like tracepoints.

use aya_ebpf::{macros::fentry, programs::FEntryContext};

use tcp_reuse_watch_ebpf::Connect;

use crate::bpf::{
    handlers::{connecting, sending, sending_pages},
    memory::Direct,
    message::MessageHeader,
    socket::Socket,
};

/// `int tcp_connect(struct sock *sk)`, net/ipv4/tcp_output.c, in every version from 5.10 on. The SYN is about to be
/// built, and the local port is known.
#[fentry(function = "tcp_connect")]
fn fentry_connect(ctx: FEntryContext) -> i32 {
    if let Some(socket) = Socket::<Direct>::watched(ctx.arg(0)) {
        connecting(&ctx, &socket, Connect::Function);
    }
    0
}

/// `int tcp_sendmsg_locked(struct sock *sk, struct msghdr *msg, size_t size)`, net/ipv4/tcp.c, since 4.14. Called once
/// for each send.
#[fentry(function = "tcp_sendmsg_locked")]
fn fentry_send(ctx: FEntryContext) -> i32 {
    if let Some(socket) = Socket::<Direct>::watched(ctx.arg(0)) {
        sending(&socket, MessageHeader::<Direct>::new(ctx.arg(1)));
    }
    0
}

/// `ssize_t do_tcp_sendpages(struct sock *sk, struct page *page, int offset, size_t size, int flags)`, net/ipv4/tcp.c,
/// until 6.4. sendfile and splice use it. Later versions use `tcp_sendmsg_locked()`.
#[fentry(function = "do_tcp_sendpages")]
fn fentry_pages(ctx: FEntryContext) -> i32 {
    if let Some(socket) = Socket::<Direct>::watched(ctx.arg(0)) {
        sending_pages(&socket, ctx.arg::<u64>(3) as u32);
    }
    0
}
