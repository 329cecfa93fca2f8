//! The first bytes of what a program sends, and the heads of TLS records in it, to tell a request from what sets a
//! connection up; and of what it reads, where the answer has to tell. None of it is kept, and none leaves the kernel.

mod buffer;
mod reading;
mod scratch;
mod subprograms;
mod view;

use core::marker::PhantomData;

use tcp_reuse_watch_ebpf::ABSENT;

pub(super) use self::{
    reading::load_prefix_and_head,
    scratch::{Buffers, Scratch, scratch},
};
use super::{frozen::frozen, memory::Memory, process, socket::load};

/// A `struct msghdr` on its way into `tcp_sendmsg_locked()`.
#[derive(Clone, Copy)]
pub(super) struct MessageHeader<M>(*const u8, PhantomData<M>);

impl<M: Memory> MessageHeader<M> {
    #[inline(always)]
    pub(super) fn new(msghdr: *const u8) -> Self {
        Self(msghdr, PhantomData)
    }

    /// Bytes still to be sent. A call sends at most `MAX_RW_COUNT`, below 2^31.
    #[inline(always)]
    pub(super) fn remaining(self) -> u32 {
        load!(M, self.0, iter_count as u64) as u32
    }

    /// Notes where its bytes are.
    #[inline(always)]
    pub(super) fn buffers(self) -> Option<Buffers> {
        let buffers = scratch()?;
        let kind = u32::from(load!(M, self.0, iter_type as u8)) & frozen!(SWITCHES.iter_type_mask);
        // A direct load gives a typed pointer, on which some verifiers allow no arithmetic; what comes out of a map is a
        // plain address.
        let base = buffers.plain(load!(M, self.0, iter_iov as u64));
        let skip = load!(M, self.0, iter_offset as u64);
        buffers.kind = kind;
        buffers.begin = 0;
        buffers.skipped = 0;
        buffers.total = self.remaining();
        buffers.prefix_len = 0;
        if kind == frozen!(SWITCHES.iter_ubuf) {
            buffers.address = base + skip;
            buffers.len = self.remaining();
            buffers.next = 0;
        } else if kind == frozen!(SWITCHES.iter_iovec) || kind == frozen!(SWITCHES.iter_kvec) {
            buffers.next = base;
            buffers.len = 0;
            buffers.advance(skip);
        } else {
            buffers.kind = ABSENT;
        }
        buffers.first = (buffers.address, buffers.next, buffers.len);
        Some(buffers)
    }
}

/// Pages, whose bytes cannot be read.
#[inline(always)]
pub(super) fn unreadable() -> Option<Buffers> {
    let buffers = scratch()?;
    buffers.kind = ABSENT;
    Some(buffers)
}

/// What the calling task has read just now, `len` bytes: they are at the beginning of the buffer that it gave to the system
/// call. None where it called another one (io_uring, splice), or in another way (32 bits).
#[inline(always)]
pub(super) fn caller_buffer(len: u32) -> Option<Buffers> {
    let buffer = process::read_buffer()?;
    let buffers = scratch()?;
    buffers.kind = USER;
    buffers.begin = 0;
    buffers.skipped = 0;
    buffers.next = 0;
    buffers.address = buffer.address;
    buffers.len = if u64::from(len) < buffer.len { len } else { buffer.len as u32 };
    buffers.total = buffers.len;
    buffers.prefix_len = 0;
    buffers.first = (buffers.address, 0, buffers.len);
    Some(buffers)
}

/// A buffer of the calling task: no kind of iterator has this number.
const USER: u32 = ABSENT - 1;
