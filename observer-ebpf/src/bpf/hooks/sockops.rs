//! The sock_ops program on the root of cgroup v2, which sees every connect, establishment and close. Unlike tracing
//! programs, the kernel never skips it.
//!
//! It only observes: it leaves `reply` alone, and adds its callback flag to the existing ones. Another program that sets
//! its own flags clears ours, so the flag is asked for again once the connection is established.

use aya_ebpf::{
    bindings::{
        BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_STATE_CB, BPF_SOCK_OPS_STATE_CB_FLAG,
        BPF_SOCK_OPS_TCP_CONNECT_CB,
    },
    macros::sock_ops,
    programs::SockOpsContext,
};

use tcp_reuse_watch_ebpf::{Connect, flag};

use crate::bpf::{
    entry,
    frozen::watches_port,
    handlers::{connecting, state_changed},
    memory::Direct,
    socket::{Socket, state},
};

/// `struct bpf_sock_ops` (include/uapi/linux/bpf.h). TCP_CONNECT_CB comes from `tcp_connect()`, STATE_CB from
/// `tcp_set_state()` before the state is stored, and ACTIVE_ESTABLISHED_CB after it is stored
/// (`tcp_finish_connect()`). All exist since 4.16, `sk` since 5.7.
#[sock_ops]
fn lifecycle(ctx: SockOpsContext) -> u32 {
    observe(&ctx);
    1
}

#[inline(always)]
fn observe(ctx: &SockOpsContext) {
    let op = ctx.op();
    let is_flagless = op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB && ctx.cb_flags() & BPF_SOCK_OPS_STATE_CB_FLAG == 0;
    if op != BPF_SOCK_OPS_TCP_CONNECT_CB && op != BPF_SOCK_OPS_STATE_CB && !is_flagless {
        return;
    }
    // `remote_port` is in network byte order, in the upper half of the word on little-endian machines
    // (net/core/filter.c, `sock_ops_convert_ctx_access`).
    if !watches_port(u32::from_be(ctx.remote_port()) as u16) {
        return;
    }
    // SAFETY: `ctx.ops` is the program's context.
    let sk = unsafe { (*ctx.ops).__bindgen_anon_2.sk };
    if sk.is_null() {
        return;
    }
    let Some(socket) = Socket::<Direct>::new(sk.cast_const().cast()) else { return };
    if op == BPF_SOCK_OPS_TCP_CONNECT_CB {
        if let Some(entry) = connecting(ctx, &socket, Connect::Callback) {
            entry.flags |= flag::CALLBACK;
            ask_for_callback(ctx);
        }
    } else if is_flagless {
        if entry::of(&socket).is_some_and(|entry| entry.flags & flag::CALLBACK != 0) {
            ask_for_callback(ctx);
        }
    } else if ctx.arg(1) as u8 != state::SYN_SENT {
        // The flag outlives a connect. When the socket connects again, TCP_CONNECT_CB follows. If both hooks handled
        // SYN_SENT, neither could know which connection the entry belongs to.
        state_changed(ctx, &socket, ctx.arg(0) as u8, ctx.arg(1) as u8);
    }
}

#[inline(always)]
fn ask_for_callback(ctx: &SockOpsContext) {
    let flags = ctx.cb_flags() | BPF_SOCK_OPS_STATE_CB_FLAG;
    // Fails only for flags that the kernel does not know and for request sockets.
    let _ = ctx.set_cb_flags(flags.cast_signed());
}
