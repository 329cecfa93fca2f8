//! The sock_ops program on the root of cgroup v2, which sees every connect, establishment and close. Unlike tracing
//! programs, the kernel never skips it.
//!
//! It only observes: it leaves `reply` alone, and adds its callback flag to the existing ones.

use aya_ebpf::{
    bindings::{BPF_SOCK_OPS_STATE_CB, BPF_SOCK_OPS_STATE_CB_FLAG, BPF_SOCK_OPS_TCP_CONNECT_CB},
    macros::sock_ops,
    programs::SockOpsContext,
};

use tcp_reuse_watch_ebpf::Connect;

use crate::bpf::{
    frozen::watches_port,
    handlers::{connecting, state_changed},
    memory::Direct,
    socket::{Socket, state},
};

/// `struct bpf_sock_ops` (include/uapi/linux/bpf.h). TCP_CONNECT_CB comes from `tcp_connect()`, and STATE_CB from
/// `tcp_set_state()` before the state is stored. Both exist since 4.16, `sk` since 5.7.
#[sock_ops]
fn lifecycle(ctx: SockOpsContext) -> u32 {
    observe(&ctx);
    1
}

#[inline(always)]
fn observe(ctx: &SockOpsContext) {
    let op = ctx.op();
    if op != BPF_SOCK_OPS_TCP_CONNECT_CB && op != BPF_SOCK_OPS_STATE_CB {
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
        if connecting(ctx, &socket, Connect::Callback).is_some() {
            let flags = ctx.cb_flags() | BPF_SOCK_OPS_STATE_CB_FLAG;
            // Fails only for flags that the kernel does not know and for request sockets.
            let _ = ctx.set_cb_flags(flags.cast_signed());
        }
    } else if ctx.arg(1) as u8 != state::SYN_SENT {
        // The flag outlives a connect. When the socket connects again, TCP_CONNECT_CB follows. If both hooks handled
        // SYN_SENT, neither could know which connection the entry belongs to.
        state_changed(ctx, &socket, ctx.arg(0) as u8, ctx.arg(1) as u8);
    }
}
