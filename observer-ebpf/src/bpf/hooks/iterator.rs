//! Iterator programs that user space runs over every TCP socket of its network namespace (iter/tcp, since 5.9).
//! Listeners come first, then all others, including TIME_WAIT. A local port tells an inbound connection if the same run
//! has listed a listener there: one of another namespace or of an earlier run says nothing.

use core::ffi::c_void;

use aya_ebpf::EbpfContext;
use tcp_reuse_watch_ebpf::{Loss, StateKey};

use crate::bpf::{
    atomic,
    frozen::{frozen, watches_port},
    handlers::{check_kernel_handled, list, take_over},
    maps::{STATES, count_loss, has_listener, note_listener},
    memory::{Direct, Memory as _},
    socket::{Socket, load, local_addr, remote_addr, remote_port, state},
};

/// `struct bpf_iter__tcp` (net/ipv4/tcp_ipv4.c). The pointers take 8 bytes on every architecture.
#[repr(C)]
struct Context {
    meta: *const Meta,
    /// `struct sock_common`. NULL after the last socket.
    sk_common: *const u8,
    uid: u32,
}

/// `struct bpf_iter_meta` (include/linux/bpf.h), the same in every version since 5.8.
#[repr(C)]
struct Meta {
    seq: *const u8,
    /// Numbers the runs of all iterators of the machine, from 1 on (`prepare_seq_file()`, kernel/bpf/bpf_iter.c).
    session_id: u64,
    seq_num: u64,
}

/// A socket whose remote port is watched, and the run of the iterator that lists it.
struct Listed {
    sk: *const u8,
    run: u64,
}

/// Adapts the context for functions that take any context.
struct IteratorContext(*mut Context);

impl EbpfContext for IteratorContext {
    fn as_ptr(&self) -> *mut c_void {
        self.0.cast()
    }
}

/// The current socket, if its remote port is watched. Records listeners on the way.
#[inline(always)]
fn watched(ctx: *mut Context) -> Option<Listed> {
    // SAFETY: `ctx` is the program's context.
    let sk = unsafe { (*ctx).sk_common };
    if sk.is_null() {
        return None;
    }
    // SAFETY: the context always has its metadata, and the verifier knows their type.
    let run = unsafe { (*(*ctx).meta).session_id };
    if load!(Direct, sk, sk_state as u8) == state::LISTEN {
        note_listener(load!(Direct, sk, sk_num as u16), run);
        return None;
    }
    if watches_port(remote_port::<Direct>(sk)) { Some(Listed { sk, run }) } else { None }
}

/// Lists the sockets whose process user space has to find.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/tcp")]
extern "C" fn inventory_list(ctx: *mut Context) -> i32 {
    if let Some(Listed { sk, run }) = watched(ctx)
        && let Some(socket) = Socket::<Direct>::new(sk)
    {
        list(&socket, run);
    }
    0
}

/// Adopts the sockets that have no entry.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/tcp")]
extern "C" fn inventory_take(ctx: *mut Context) -> i32 {
    if let Some(Listed { sk, run }) = watched(ctx)
        && let Some(socket) = Socket::<Direct>::new(sk)
    {
        take_over(&IteratorContext(ctx), &socket, run);
    }
    0
}

/// Counts outbound sockets by source address, destination and state. Marks sockets whose payload no hook sees, because a
/// sockmap that releases its socket before the close leaves no other trace.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/tcp")]
extern "C" fn netstat(ctx: *mut Context) -> i32 {
    let Some(Listed { sk, run }) = watched(ctx) else { return 0 };
    if has_listener(load!(Direct, sk, sk_num as u16), run) {
        return 0;
    }
    let now = load!(Direct, sk, sk_state as u8);
    if now == state::ESTABLISHED
        && let Some(socket) = Socket::<Direct>::new(sk)
    {
        check_kernel_handled(&socket);
    }
    let key = StateKey {
        remote: remote_addr::<Direct>(sk),
        local: local_addr::<Direct>(sk),
        port: remote_port::<Direct>(sk),
        state: now.into(),
    };
    if let Some(count) = STATES.get_ptr_mut(&key) {
        atomic::add(count, 1);
    } else if STATES.insert(&key, &1, 0).is_err() {
        count_loss(Loss::Unlisted);
    }
    0
}
