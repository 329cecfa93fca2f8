//! The buffers of a message.

use tcp_reuse_watch_ebpf::ABSENT;

use super::scratch::{Scratch, scratch};
use crate::bpf::{
    frozen::frozen,
    memory::{Memory, Probed},
};

/// How far ahead a search for an offset goes, in buffers. Some clients (rustls) write each record from its own.
const MAX_BUFFERS_AHEAD: u32 = 2;

/// An address and a length.
const IOVEC_BYTES: u64 = 16;

impl Scratch {
    /// Returns the address without its type, so the verifier allows arithmetic on it.
    #[inline(always)]
    pub(super) fn plain(&mut self, address: u64) -> u64 {
        let cell = &raw mut self.address;
        // SAFETY: the pointer comes from a reference.
        unsafe {
            cell.write_volatile(address);
            cell.read_volatile()
        }
    }

    /// Moves to the next buffer. The first `skip` bytes of it have been sent already.
    #[inline(always)]
    pub(super) fn advance(&mut self, skip: u64) {
        // `struct iovec` and `struct kvec` have the same layout: address, length.
        let buffer = self.next as *const u8;
        self.begin = self.begin.wrapping_add(self.len);
        self.address = Probed::read::<u64>(buffer, frozen!(OFFSETS.iovec_base)).wrapping_add(skip);
        self.len = Probed::read::<u64>(buffer, frozen!(OFFSETS.iovec_len)).wrapping_sub(skip) as u32;
        self.next += IOVEC_BYTES;
    }

    /// Moves to the buffer that holds an offset, mostly the current one. Returns the number of bytes from there to the
    /// buffer's end.
    #[inline(always)]
    pub(super) fn seek(&mut self, offset: u32) -> u32 {
        if self.kind == ABSENT {
            return 0;
        }
        // An offset outside the current buffer wraps to a large number.
        let within = offset.wrapping_sub(self.begin);
        if within < self.len { self.len - within } else { seek_buffer(offset) }
    }

    /// Moves to another buffer, and returns the same number as `seek`.
    #[inline(always)]
    fn seek_further(&mut self, offset: u32) -> u32 {
        if offset < self.begin {
            (self.address, self.next, self.len) = self.first;
            self.begin = 0;
        }
        for _ in 0..MAX_BUFFERS_AHEAD {
            if self.next == 0 || offset.wrapping_sub(self.begin) < self.len {
                break;
            }
            self.advance(0);
        }
        self.begin.wrapping_add(self.len).saturating_sub(offset)
    }

    #[inline(always)]
    pub(super) fn address_of(&self, offset: u32) -> *const core::ffi::c_void {
        self.address.wrapping_add(u64::from(offset.wrapping_sub(self.begin))) as *const _
    }
}

/// Moves to another buffer: [`Scratch::seek_further`]. Verified separately, as in `inspection.rs`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn seek_buffer(offset: u32) -> u32 {
    scratch().map_or(0, |scratch| scratch.seek_further(offset))
}
