//! The programs. A hook (hooks/) is only where a handler hangs; a handler (handlers/) is one moment in a connection's
//! life, written once, idempotent, and ignorant of which hook called it.
//!
//! Below them: what user space froze in (`frozen`), the maps, how a socket, a message and the calling process are read
//! and heard, and the few operations on an entry that several moments share (`entry`, `counters`, `pool`).

mod atomic;
mod counters;
mod entry;
mod filter;
mod frozen;
mod handlers;
mod hooks;
mod inspection;
mod maps;
mod memory;
mod message;
mod process;
mod socket;

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: nothing here can panic: every index is bounded and every division is by a constant. If something could,
    // the verifier would refuse the program for reaching this.
    unsafe { core::hint::unreachable_unchecked() }
}

/// Some helpers (bpf_skc_to_tcp_sock, the probe reads) are for programs under the GPL only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
