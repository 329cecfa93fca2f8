//! The first bytes of what a program sends, and the heads of TLS records in it, to tell a request from what sets a
//! connection up. [`HEAD_BYTES`] are read at a time, and none of them leaves the kernel.

use core::marker::PhantomData;

use aya_ebpf::{
    helpers::generated::{bpf_probe_read_kernel as probe_read_kernel, bpf_probe_read_user as probe_read_user},
    macros::map,
    maps::PerCpuArray,
};
use tcp_reuse_watch_ebpf::{ABSENT, BEGINNING_BYTES, Beginning, HEAD_BYTES, Head, Message, Send};

use super::{
    frozen::frozen,
    memory::{Memory, Probed},
    socket::load,
};

/// How many buffers further on what is looked for may be. Some clients (rustls) write each record from its own.
const MAX_STEPS: u32 = 2;

/// Address and length.
const IOVEC_BYTES: u64 = 16;

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
    pub(super) fn left(self) -> u32 {
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
        if kind == frozen!(SWITCHES.iter_ubuf) {
            buffers.address = base + skip;
            buffers.len = self.left();
            buffers.next = 0;
        } else if kind == frozen!(SWITCHES.iter_iovec) || kind == frozen!(SWITCHES.iter_kvec) {
            buffers.next = base;
            buffers.len = 0;
            buffers.advance(skip);
        } else {
            buffers.kind = ABSENT;
        }
        Some(buffers)
    }
}

/// Pages, whose bytes cannot be read.
#[inline(always)]
pub(super) fn pages() -> Option<Buffers> {
    let buffers = scratch()?;
    buffers.kind = ABSENT;
    Some(buffers)
}

/// What a message's `struct iov_iter` says of where its bytes are, and what was read of them.
///
/// In a map and not on the stack: the verifier does not follow what is in a map, so it takes the turns of a loop for the
/// same, and is done in milliseconds instead of seconds.
#[repr(C)]
pub(super) struct Scratch {
    /// The buffer at hand.
    address: u64,
    /// Address of the `struct iovec` of the next one; 0 if there is none.
    next: u64,
    /// The first bytes of something.
    head: u64,
    /// Offset in the message of the buffer at hand, and its length.
    begin: u32,
    len: u32,
    kind: u32,
    number: u32,
    pub(super) send: Send,
    beginning: Beginning,
}

pub(super) type Buffers = &'static mut Scratch;

/// Each processor's own. A program is not interrupted by itself, and what another one leaves here is only compared.
#[map]
static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

#[inline(always)]
fn scratch() -> Option<Buffers> {
    // SAFETY: a pointer into a map value, checked for null.
    SCRATCH.get_ptr_mut(0).map(|scratch| unsafe { &mut *scratch })
}

impl Scratch {
    /// An address that the verifier knows no type of.
    #[inline(always)]
    fn plain(&mut self, address: u64) -> u64 {
        let cell = &raw mut self.address;
        // SAFETY: the pointer is that of a reference.
        unsafe {
            cell.write_volatile(address);
            cell.read_volatile()
        }
    }

    /// Goes to the next buffer, of which `skip` bytes are sent already.
    #[inline(always)]
    fn advance(&mut self, skip: u64) {
        // `struct iovec` and `struct kvec` have the same layout: address, length.
        let buffer = self.next as *const u8;
        self.begin = self.begin.wrapping_add(self.len);
        self.address = Probed::read::<u64>(buffer, frozen!(OFFSETS.iovec_base)).wrapping_add(skip);
        self.len = Probed::read::<u64>(buffer, frozen!(OFFSETS.iovec_len)).wrapping_sub(skip) as u32;
        self.next += IOVEC_BYTES;
    }

    /// Goes to the buffer that holds an offset, onwards only. How many bytes there are from there on in it.
    #[inline(always)]
    fn find(&mut self, offset: u32) -> u32 {
        if self.kind == ABSENT {
            return 0;
        }
        for _ in 0..MAX_STEPS {
            if self.next == 0 || offset.wrapping_sub(self.begin) < self.len {
                break;
            }
            self.advance(0);
        }
        self.begin.wrapping_add(self.len).saturating_sub(offset)
    }

    #[inline(always)]
    fn address_of(&self, offset: u32) -> *const core::ffi::c_void {
        self.address.wrapping_add(u64::from(offset.wrapping_sub(self.begin))) as *const _
    }
}

/// Reads up to HEAD_BYTES of what is `available` in the buffer at hand. How many could be read: all, or none.
///
/// A function of its own, with next to nothing on its stack, because of where it reads to: the kernel checks at some
/// length (a third of the time of a send) whether it may copy from user memory to what is not its stack
/// (`__check_object_size()`, mm/usercopy.c); and the stack of a BPF function with 64 bytes or more is elsewhere too
/// (`BPF_PRIV_STACK_MIN_SIZE`, kernel/bpf/verifier.c, since 6.13).
#[inline(never)]
fn read_head(scratch: &mut Scratch, offset: u32, available: u32) -> u32 {
    let mut word = 0u64;
    let (to, from) = ((&raw mut word).cast(), scratch.address_of(offset));
    let in_kernel = scratch.kind == frozen!(SWITCHES.iter_kvec);
    let len = if available < HEAD_BYTES as u32 { available } else { HEAD_BYTES as u32 };
    // SAFETY: `to` has room for HEAD_BYTES, and `len` is no more; a bad `from` makes the helper fail.
    let result = unsafe { if in_kernel { probe_read_kernel(to, len, from) } else { probe_read_user(to, len, from) } };
    // What the helper cannot read it leaves zero.
    scratch.head = word;
    if result == 0 { len } else { 0 }
}

impl Message for Scratch {
    /// None for page vectors of sendfile and splice, for a page that is not in memory, and behind many small buffers.
    #[inline(always)]
    fn head(&mut self, offset: u32) -> Head {
        let available = self.find(offset);
        let len = read_head(self, offset, available);
        Head { len: self.opaque(len), word: u64::from_be(self.head) }
    }

    #[inline(always)]
    fn beginning(&mut self) -> Option<u32> {
        let available = self.find(0);
        let len = if available < BEGINNING_BYTES as u32 { available } else { BEGINNING_BYTES as u32 };
        let to = (&raw mut self.beginning).cast();
        // SAFETY: `to` has room for BEGINNING_BYTES, and `len` is no more; a bad address makes the helper fail.
        let result = unsafe { probe_read_user(to, len, self.address_of(0)) };
        if result == 0 { Some(len) } else { None }
    }

    #[inline(always)]
    fn begins(&mut self, offset: u32) -> u64 {
        let start = self.opaque(offset) as usize & (BEGINNING_BYTES - 1);
        self.beginning[start..start + HEAD_BYTES].iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
    }

    #[inline(always)]
    fn opaque(&mut self, number: u32) -> u32 {
        let cell = &raw mut self.number;
        // SAFETY: the pointer is that of a reference.
        unsafe {
            cell.write_volatile(number);
            cell.read_volatile()
        }
    }
}
