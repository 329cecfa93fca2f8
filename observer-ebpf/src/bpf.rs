//! The BPF programs. A hook (hooks/) attaches a program to the kernel and calls a handler. A handler (handlers/)
//! handles one moment in a connection's life. It is written once, is idempotent, and does not know which hook called
//! it.
//!
//! The handlers rely on the frozen constants (`frozen`), the maps, readers of sockets, messages and the calling
//! process, the inspection of sends and answers, and the operations on an entry and its group's counters (`entry`,
//! `counters`).

mod atomic;
mod counters;
mod entry;
mod filter;
mod frozen;
mod handlers;
mod hooks;
mod inspection;
mod lineage;
mod maps;
mod memory;
mod message;
mod process;
mod shares;
mod socket;

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: nothing here can panic: every index is bounded and every division is by a constant. The verifier would
    // refuse a program that could reach this.
    unsafe { core::hint::unreachable_unchecked() }
}

/// Some helpers (bpf_skc_to_tcp_sock, the probe reads) are available to GPL programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
