//! Constants that user space sets before loading. aya freezes them, so the verifier treats them as constants.

use core::ptr::read_volatile;

use tcp_reuse_watch_ebpf::{ABSENT, Filter, Offsets, PORT_WORDS, Switches};

#[unsafe(no_mangle)]
pub(super) static OFFSETS: Offsets = Offsets::UNSET;

#[unsafe(no_mangle)]
pub(super) static FILTER: Filter = Filter { by_port: 0, by_destination: 0, by_pid: 0, by_process: 0, with_children: 0 };

#[unsafe(no_mangle)]
pub(super) static SWITCHES: Switches = Switches {
    rows: 0,
    exchange_rows: 0,
    last_connect: 0,
    sees_sends: 0,
    iter_ubuf: ABSENT,
    iter_iovec: ABSENT,
    iter_kvec: ABSENT,
    iter_type_mask: ABSENT,
    has_typed_task: 0,
    has_task_regs: 0,
    process_share: 0,
    user_share: 0,
};

#[unsafe(no_mangle)]
static PORTS: [u64; PORT_WORDS] = [0; PORT_WORDS];

/// Reads one frozen value. Volatile, or the compiler would fold in the object's build-time value.
macro_rules! frozen {
    ($table:ident . $field:ident) => {
        $crate::bpf::frozen::value(&$crate::bpf::frozen::$table.$field)
    };
}
pub(super) use frozen;

#[inline(always)]
pub(super) fn value(field: &u32) -> u32 {
    // SAFETY: a reference is valid.
    unsafe { read_volatile(field) }
}

/// Whether `port` is watched. Every hook tests this first, because most sockets are not watched.
#[inline(always)]
pub(super) fn watches_port(port: u16) -> bool {
    if frozen!(FILTER.by_port) == 0 {
        return true;
    }
    let word = usize::from(port >> 6);
    // SAFETY: 65,536 ports shifted right by 6 index the 1,024 words of the table.
    let word = unsafe { read_volatile((&raw const PORTS).cast::<u64>().add(word)) };
    word >> (port & 63) & 1 == 1
}
