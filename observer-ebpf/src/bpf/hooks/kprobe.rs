//! kprobe programs on the functions of a connection's life, for kernels that refuse fentry. Arguments are plain
//! addresses, so every field is a probe read. All kprobes of a processor share one guard against re-entry.
//!
//! `fentry.rs` has the prototypes and versions of these functions.

use aya_ebpf::{macros::kprobe, programs::ProbeContext};

use tcp_reuse_watch_ebpf::Connect;

use crate::bpf::{
    handlers::{connecting, sending, sending_pages},
    memory::Probed,
    message::MessageHeader,
    socket::Socket,
};

/// The first argument as a socket, if it is watched.
#[inline(always)]
fn socket(ctx: &ProbeContext) -> Option<Socket<Probed>> {
    Socket::<Probed>::watched(ctx.arg(0)?)
}

#[kprobe]
fn kprobe_connect(ctx: ProbeContext) -> u32 {
    if let Some(socket) = socket(&ctx) {
        connecting(&ctx, &socket, Connect::Function);
    }
    0
}

#[kprobe]
fn kprobe_send(ctx: ProbeContext) -> u32 {
    if let (Some(socket), Some(message)) = (socket(&ctx), ctx.arg(1)) {
        sending(&socket, MessageHeader::<Probed>::new(message));
    }
    0
}

#[kprobe]
fn kprobe_pages(ctx: ProbeContext) -> u32 {
    if let (Some(socket), Some(len)) = (socket(&ctx), ctx.arg::<u64>(3)) {
        sending_pages(&socket, len as u32);
    }
    0
}
