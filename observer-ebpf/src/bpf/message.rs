//! The first bytes of what a program sends, to tell a TLS handshake from a request. At most [`HEAD_BYTES`] are read, and
//! none of them leaves the kernel.

use core::marker::PhantomData;

use aya_ebpf::helpers::generated::{
    bpf_probe_read_kernel as probe_read_kernel, bpf_probe_read_user as probe_read_user,
};
use tcp_reuse_watch_ebpf::HEAD_BYTES;

use super::{
    frozen::frozen,
    memory::{Memory, Probed},
    socket::load,
};

/// How many buffers of a vector are looked at to find one that is not empty.
const MAX_EMPTY_BUFFERS: u64 = 4;

/// A `struct msghdr` on its way into `tcp_sendmsg_locked()`.
#[derive(Clone, Copy)]
pub(super) struct Message<M>(*const u8, PhantomData<M>);

impl<M: Memory> Message<M> {
    #[inline(always)]
    pub(super) fn new(msghdr: *const u8) -> Self {
        Self(msghdr, PhantomData)
    }

    /// Bytes still to be sent. A call sends at most `MAX_RW_COUNT`, below 2^31.
    #[inline(always)]
    pub(super) fn left(self) -> u32 {
        load!(M, self.0, iter_count as u64) as u32
    }

    /// The first bytes, zero-padded; None where they cannot be read (page vectors of sendfile and splice, or a page
    /// that is not in memory).
    #[inline(always)]
    pub(super) fn head(self) -> Option<[u8; HEAD_BYTES]> {
        let kind = u32::from(load!(M, self.0, iter_type as u8)) & frozen!(SWITCHES.iter_type_mask);
        let offset = load!(M, self.0, iter_offset as u64);
        // As a plain address: a direct load gives a typed pointer, on which some verifiers allow no arithmetic.
        let base = load!(Probed, self.0, iter_iov as u64);
        if kind == frozen!(SWITCHES.iter_ubuf) {
            return read(base + offset, self.left(), false);
        }
        let in_kernel = kind == frozen!(SWITCHES.iter_kvec);
        if kind != frozen!(SWITCHES.iter_iovec) && !in_kernel {
            return None;
        }
        let mut skip = offset;
        // `struct iovec` and `struct kvec` have the same layout: address, length.
        for index in 0..MAX_EMPTY_BUFFERS {
            let buffer = (base + index * 16) as *const u8;
            let address = Probed::read::<u64>(buffer, frozen!(OFFSETS.iovec_base));
            let len = Probed::read::<u64>(buffer, frozen!(OFFSETS.iovec_len));
            if len > skip {
                return read(address + skip, (len - skip) as u32, in_kernel);
            }
            skip = 0;
        }
        None
    }
}

#[inline(always)]
fn read(address: u64, available: u32, in_kernel: bool) -> Option<[u8; HEAD_BYTES]> {
    let mut head = [0; HEAD_BYTES];
    let len = if available < HEAD_BYTES as u32 { available } else { HEAD_BYTES as u32 };
    let (to, from) = (head.as_mut_ptr().cast(), address as *const _);
    // SAFETY: `to` has room for HEAD_BYTES, and `len` is no more; a bad `from` makes the helper fail.
    let result = unsafe { if in_kernel { probe_read_kernel(to, len, from) } else { probe_read_user(to, len, from) } };
    if result == 0 { Some(head) } else { None }
}
