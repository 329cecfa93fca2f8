//! The first bytes of a send, and the headers of TLS records in it, which distinguish requests from set-up. Also the
//! first bytes of a read, where only the answer identifies the protocol. No byte is kept, and none leaves the kernel.

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

/// A `struct msghdr` passed to `tcp_sendmsg_locked()`.
#[derive(Clone, Copy)]
pub(super) struct MessageHeader<M>(*const u8, PhantomData<M>);

impl<M: Memory> MessageHeader<M> {
    #[inline(always)]
    pub(super) fn new(msghdr: *const u8) -> Self {
        Self(msghdr, PhantomData)
    }

    /// Bytes still to be sent. At most `MAX_RW_COUNT` in one call, which is below 2^31.
    #[inline(always)]
    pub(super) fn remaining(self) -> u32 {
        load!(M, self.0, iter_count as u64) as u32
    }

    /// Locates the buffers.
    #[inline(always)]
    pub(super) fn buffers(self) -> Option<Buffers> {
        let buffers = scratch()?;
        let kind = u32::from(load!(M, self.0, iter_type as u8)) & frozen!(SWITCHES.iter_type_mask);
        // A direct load yields a typed pointer, on which some verifiers allow no arithmetic. Passing it through a map
        // makes it a plain address.
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

/// A message of pages, whose bytes cannot be read.
#[inline(always)]
pub(super) fn unreadable() -> Option<Buffers> {
    let buffers = scratch()?;
    buffers.kind = ABSENT;
    Some(buffers)
}

/// The `len` bytes that the calling task has just read, at the start of the buffer that it passed to the system call.
/// None for other system calls (io_uring, splice) and for 32-bit callers.
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

/// A buffer of the calling task. No iterator type has this value.
const USER: u32 = ABSENT - 1;
