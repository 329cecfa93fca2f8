//! Scratch.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use tcp_reuse_watch_ebpf::{Cursor, HEAD_BYTES, Prefix, WORD_BYTES};

/// What a message's `struct iov_iter` says of where its bytes are, and what was read of them.
///
/// In a map and not on the stack: the verifier does not follow what is in a map, so it takes the turns of a loop for the
/// same, and is done in milliseconds instead of seconds.
#[repr(C)]
pub(in crate::bpf) struct Scratch {
    /// The buffer at hand.
    pub(super) address: u64,
    /// Address of the `struct iovec` of the next one; 0 if there is none.
    pub(super) next: u64,
    /// The first bytes of something, as they lie in memory.
    pub(super) head: [u64; HEAD_BYTES / WORD_BYTES],
    /// Offset in the message of the buffer at hand, and its length.
    pub(super) begin: u32,
    pub(in crate::bpf) len: u32,
    pub(super) kind: u32,
    /// Length of the message.
    pub(super) total: u32,
    /// What was skipped: offsets count from here.
    pub(super) skipped: u32,
    /// Where the beginning was taken that is there, and how much of it; 0 if there is none.
    pub(super) prefix_at: u32,
    pub(super) prefix_len: u32,
    pub(super) number: u64,
    /// Whom the connection is for, as far as this message says it.
    pub(super) target: u64,
    pub(super) cursor: Cursor,
    pub(super) head_len: u32,
    /// Address, next and length of the buffer that comes first.
    pub(super) first: (u64, u64, u32),
    pub(super) prefix: Prefix,
    /// Room for a piece that begins at the end of the beginning, as the verifier sees it.
    pub(super) room: Prefix,
}

pub(in crate::bpf) type Buffers = &'static mut Scratch;

/// Each processor's own. What a program leaves here that comes in between is found out: see `inspection.rs`.
#[map]
static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

#[inline(always)]
pub(in crate::bpf) fn scratch() -> Option<Buffers> {
    // SAFETY: a pointer into a map value, checked for null.
    SCRATCH.get_ptr_mut(0).map(|scratch| unsafe { &mut *scratch })
}

impl Scratch {
    /// Takes the target that was noted since; 0 if none was.
    #[inline(always)]
    pub(in crate::bpf) fn take_target(&mut self) -> u64 {
        let noted = &raw mut self.target;
        // SAFETY: the pointer is that of a reference. Volatile, because a function may have written there.
        unsafe {
            let target = noted.read_volatile();
            noted.write_volatile(0);
            target
        }
    }
}
