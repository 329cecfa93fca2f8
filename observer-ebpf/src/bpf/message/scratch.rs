//! The state of reading one message.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use tcp_reuse_watch_ebpf::{Cursor, HEAD_BYTES, Prefix, WORD_BYTES};

/// Where a message's bytes are, from its `struct iov_iter`, and the bytes read so far.
///
/// It is in a map and not on the stack, because the verifier does not follow map contents. So it treats the iterations
/// of a loop as equal and finishes in milliseconds instead of seconds.
#[repr(C)]
pub(in crate::bpf) struct Scratch {
    /// Address of the current buffer.
    pub(super) address: u64,
    /// Address of the next buffer's `struct iovec`. 0 if there is none.
    pub(super) next: u64,
    /// The head, in memory order.
    pub(super) head: [u64; HEAD_BYTES / WORD_BYTES],
    /// Offset in the message of the current buffer, and its length.
    pub(super) begin: u32,
    pub(in crate::bpf) len: u32,
    pub(super) kind: u32,
    /// Length of the message.
    pub(super) total: u32,
    /// Number of skipped bytes. Offsets count from here.
    pub(super) skipped: u32,
    /// Offset and length of the loaded prefix. The length is 0 if none is loaded.
    pub(super) prefix_at: u32,
    pub(super) prefix_len: u32,
    pub(super) number: u64,
    /// The connection's target, as far as this message names it.
    pub(super) target: u64,
    pub(super) cursor: Cursor,
    pub(super) head_len: u32,
    /// Address, next and length of the first buffer.
    pub(super) first: (u64, u64, u32),
    pub(super) prefix: Prefix,
    /// Room for a piece that starts at the prefix's end, a case that the verifier assumes reachable.
    pub(super) room: Prefix,
}

pub(in crate::bpf) type Buffers = &'static mut Scratch;

/// One for each processor. `inspection.rs` detects when an interrupting program overwrites it.
#[map]
static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

#[inline(always)]
pub(in crate::bpf) fn scratch() -> Option<Buffers> {
    // SAFETY: a pointer into a map value, checked for null.
    SCRATCH.get_ptr_mut(0).map(|scratch| unsafe { &mut *scratch })
}

impl Scratch {
    /// Takes the target noted since the last call. 0 if none was.
    #[inline(always)]
    pub(in crate::bpf) fn take_target(&mut self) -> u64 {
        let noted = &raw mut self.target;
        // SAFETY: the pointer comes from a reference. Volatile, because another function may have written there.
        unsafe {
            let target = noted.read_volatile();
            noted.write_volatile(0);
            target
        }
    }
}
