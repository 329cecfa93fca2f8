//! The first bytes of what a program sends, and the heads of TLS records in it, to tell a request from what sets a
//! connection up; and of what it reads, where the answer has to tell. None of it is kept, and none leaves the kernel.

use core::{marker::PhantomData, mem::MaybeUninit};

use aya_ebpf::{
    helpers::generated::{bpf_probe_read_kernel as probe_read_kernel, bpf_probe_read_user as probe_read_user},
    macros::map,
    maps::PerCpuArray,
};
use tcp_reuse_watch_ebpf::{
    ABSENT, BEGINNING_BYTES, Beginning, Framing, HEAD_BYTES, Head, Message, RequestLine, WORD_BYTES, Walk,
};

use super::{
    frozen::frozen,
    memory::{Memory, Probed},
    process,
    socket::load,
    steps,
};

/// How many buffers further on what is looked for may be. Some clients (rustls) write each record from its own.
const MAX_STEPS: u32 = 2;

/// Buffers that are read to have the beginning in one piece. Some clients (Erlang's) write each word of it from its own.
const MAX_PIECES: u32 = 8;

/// All bits set: what is larger is taken in two.
const LARGEST_PIECE: u32 = BEGINNING_BYTES as u32 - 1;

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
        buffers.skipped = 0;
        buffers.total = self.left();
        buffers.taken = 0;
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
        buffers.first = (buffers.address, buffers.next, buffers.len);
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

/// What the calling task has read just now, `len` bytes: they are at the beginning of the buffer that it gave to the system
/// call. None where it called another one (io_uring, splice), or in another way (32 bits).
#[inline(always)]
pub(super) fn read_by_caller(len: u32) -> Option<Buffers> {
    let buffer = process::read_buffer()?;
    let buffers = scratch()?;
    buffers.kind = USER;
    buffers.begin = 0;
    buffers.skipped = 0;
    buffers.next = 0;
    buffers.address = buffer.address;
    buffers.len = if u64::from(len) < buffer.len { len } else { buffer.len as u32 };
    buffers.total = buffers.len;
    buffers.taken = 0;
    buffers.first = (buffers.address, 0, buffers.len);
    Some(buffers)
}

/// A buffer of the calling task: no kind of iterator has this number.
const USER: u32 = ABSENT - 1;

/// Reads the beginning, and the head from it: where more than the head will be needed, that is one reading less.
#[inline(always)]
pub(super) fn take_beginning() {
    take(0);
    head_of_beginning();
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
    /// The first bytes of something, as they lie in memory.
    head: [u64; HEAD_BYTES / WORD_BYTES],
    /// Offset in the message of the buffer at hand, and its length.
    begin: u32,
    pub(super) len: u32,
    kind: u32,
    /// Length of the message.
    total: u32,
    /// What was skipped: offsets count from here.
    skipped: u32,
    /// Where the beginning was taken that is there, and how much of it; 0 if there is none.
    taken_at: u32,
    taken: u32,
    number: u64,
    /// Whom the connection is for, as far as this message says it.
    target: u64,
    walk: Walk,
    head_len: u32,
    /// Address, next and length of the buffer that comes first.
    first: (u64, u64, u32),
    beginning: Beginning,
    /// Room for a piece that begins at the end of the beginning, as the verifier sees it.
    room: Beginning,
}

pub(super) type Buffers = &'static mut Scratch;

/// Each processor's own. What a program leaves here that comes in between is found out: see `hearing.rs`.
#[map]
static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

#[inline(always)]
pub(super) fn scratch() -> Option<Buffers> {
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

    /// Takes the target that was noted since; 0 if none was.
    #[inline(always)]
    pub(super) fn take_target(&mut self) -> u64 {
        let noted = &raw mut self.target;
        // SAFETY: the pointer is that of a reference. Volatile, because a function may have written there.
        unsafe {
            let target = noted.read_volatile();
            noted.write_volatile(0);
            target
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

    /// Goes to the buffer that holds an offset: mostly that at hand. How many bytes there are from there on in it.
    #[inline(always)]
    fn find(&mut self, offset: u32) -> u32 {
        if self.kind == ABSENT {
            return 0;
        }
        // Beyond its end, or before its beginning, there are none.
        let within = offset.wrapping_sub(self.begin);
        if within < self.len { self.len - within } else { find_further(offset) }
    }

    /// The same, where it is another one.
    #[inline(always)]
    fn look_for(&mut self, offset: u32) -> u32 {
        if offset < self.begin {
            (self.address, self.next, self.len) = self.first;
            self.begin = 0;
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
    let mut words = MaybeUninit::<[u64; HEAD_BYTES / WORD_BYTES]>::uninit();
    for index in 0..HEAD_BYTES / WORD_BYTES {
        // SAFETY: the word is one of them. Volatile, or the compiler would make a call of `memset()` of it, which sets each
        // byte by itself.
        unsafe { words.as_mut_ptr().cast::<u64>().add(index).write_volatile(0) };
    }
    let (to, from) = (words.as_mut_ptr().cast(), scratch.address_of(offset));
    let in_kernel = scratch.kind == frozen!(SWITCHES.iter_kvec);
    let len = if available < HEAD_BYTES as u32 { available } else { HEAD_BYTES as u32 };
    // SAFETY: `to` has room for HEAD_BYTES, and `len` is no more; a bad `from` makes the helper fail.
    let result = unsafe { if in_kernel { probe_read_kernel(to, len, from) } else { probe_read_user(to, len, from) } };
    // SAFETY: all of them were set. What the helper cannot read it leaves zero.
    scratch.head = unsafe { words.assume_init() };
    if result == 0 { len } else { 0 }
}

/// Goes to another buffer: [`Scratch::look_for`]. A step of its own, as in `hearing.rs`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn find_further(offset: u32) -> u32 {
    scratch().map_or(0, |scratch| scratch.look_for(offset))
}

/// Reads the head at an offset. A step of its own, as in `hearing.rs`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn take_head(offset: u32) -> u32 {
    let Some(scratch) = scratch() else { return 0 };
    let offset = offset.wrapping_add(scratch.skipped);
    let available = scratch.find(offset);
    if available >= HEAD_BYTES as u32 || offset.wrapping_add(available) >= scratch.total {
        scratch.head_len = read_head(scratch, offset, available);
        return scratch.head_len;
    }
    // It goes on in the next buffer.
    take(offset);
    head_of_beginning()
}

/// The head of what was taken last.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn head_of_beginning() -> u32 {
    let Some(scratch) = scratch() else { return 0 };
    let taken = scratch.taken;
    scratch.head_len = if taken < HEAD_BYTES as u32 { taken } else { HEAD_BYTES as u32 };
    for index in 0..HEAD_BYTES / WORD_BYTES {
        // What is behind the end was left by another message.
        let behind = taken.saturating_sub((index * WORD_BYTES) as u32);
        let mask =
            if behind >= WORD_BYTES as u32 { u64::MAX } else { !(u64::MAX >> 1 >> (8 * behind).saturating_sub(1)) };
        let mask = if behind == 0 { 0 } else { mask };
        scratch.head[index] = (scratch.word(index as u32) & mask).to_be();
    }
    scratch.head_len
}

/// Takes the beginning of the message from an offset on in one piece: how many bytes of it there are; 0 if they cannot be
/// read. A step of its own, as in `hearing.rs`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn take(offset: u32) -> u32 {
    let Some(scratch) = scratch() else { return 0 };
    if scratch.taken > 0 && scratch.taken_at == offset {
        return scratch.taken;
    }
    let in_kernel = scratch.kind == frozen!(SWITCHES.iter_kvec);
    let mut taken = 0;
    for _ in 0..MAX_PIECES {
        let from = offset.wrapping_add(taken);
        if from >= scratch.total || taken >= BEGINNING_BYTES as u32 {
            break;
        }
        let available = scratch.find(from);
        let room = BEGINNING_BYTES as u32 - taken;
        let room = if room > LARGEST_PIECE { LARGEST_PIECE } else { room };
        // Masked, for the verifier: it is no more anyway.
        let len = scratch.opaque(if available < room { available } else { room }) & LARGEST_PIECE;
        if len == 0 {
            break;
        }
        let at = scratch.opaque(taken) as usize & (BEGINNING_BYTES - 1);
        let from = scratch.address_of(from);
        // SAFETY: behind any byte of the beginning there is room for as much again, and `len` is no more; a bad address
        // makes the helper fail.
        let result = unsafe {
            let to = (&raw mut scratch.beginning).cast::<u8>().add(at).cast();
            if in_kernel { probe_read_kernel(to, len, from) } else { probe_read_user(to, len, from) }
        };
        if result != 0 {
            break;
        }
        taken = scratch.opaque(taken + len);
    }
    scratch.taken_at = offset;
    scratch.taken = taken;
    taken
}

impl Message for Scratch {
    /// None for page vectors of sendfile and splice, for a page that is not in memory, and behind many small buffers.
    #[inline(always)]
    fn head(&mut self, offset: u32) -> Head {
        let _ = take_head(offset);
        self.last_head()
    }

    #[inline(always)]
    fn last_head(&mut self) -> Head {
        // SAFETY: the pointers are those of references. Volatile, because a function has written there.
        let (len, words) =
            unsafe { ((&raw const self.head_len).read_volatile(), (&raw const self.head).read_volatile()) };
        Head { len, words: words.map(u64::from_be) }
    }

    #[inline(always)]
    fn beginning(&mut self) -> Option<u32> {
        let taken = take(self.skipped);
        let taken = self.opaque(taken);
        if taken == 0 { None } else { Some(taken) }
    }

    #[inline(always)]
    fn begins(&mut self, offset: u32) -> u64 {
        let shift = offset % 8 * 8;
        let word = self.word(offset / 8) << shift;
        // In two steps: a shift by 64 is none.
        word | self.word(offset / 8 + 1) >> 1 >> (63 - shift)
    }

    #[inline(always)]
    fn word(&mut self, number: u32) -> u64 {
        let start = (self.opaque(number) as usize * WORD_BYTES) & (BEGINNING_BYTES - WORD_BYTES);
        let words = (&raw const self.beginning).cast::<u64>();
        // SAFETY: the beginning is aligned like the number before it, and this word is within it.
        u64::from_be(unsafe { words.byte_add(start).read() })
    }

    #[inline(always)]
    fn skip(&mut self, bytes: u32) {
        self.skipped = self.skipped.wrapping_add(bytes);
    }

    #[inline(always)]
    fn framing(&mut self, from: u32, len: u32) -> Framing {
        let end = steps::frame_head(from, len);
        let Walk { number: body, found: says, .. } = self.walk();
        Framing { body, end, says }
    }

    #[inline(always)]
    fn next_line(&mut self, at: u32, len: u32) -> u32 {
        steps::next_line(at, len)
    }

    #[inline(always)]
    fn line_feed(&mut self, at: u32, len: u32) -> u32 {
        steps::find_line_feed(at, len)
    }

    #[inline(always)]
    fn near_line_feed(&mut self, at: u32, len: u32) -> u32 {
        steps::find_near_line_feed(at, len)
    }

    #[inline(always)]
    fn read_line(&mut self, at: u32) {
        steps::read_line(at);
    }

    #[inline(always)]
    fn request_line(&mut self) -> RequestLine {
        match steps::read_request_line() {
            line if line == RequestLine::Request as u32 => RequestLine::Request,
            line if line == RequestLine::Unclear as u32 => RequestLine::Unclear,
            _ => RequestLine::Other,
        }
    }

    #[inline(always)]
    fn recognise(&mut self, len: u32, known: u32) -> u8 {
        steps::recognise(len, known) as u8
    }

    #[inline(always)]
    fn is_setting(&mut self, from: u32, len: u32) -> bool {
        steps::find_setting(from, len) != 0
    }

    #[inline(always)]
    fn statement_end(&mut self, at: u32, len: u32) -> u32 {
        steps::find_statement_end(at, len)
    }

    #[inline(always)]
    fn tls_extension(&mut self, end: u32) -> bool {
        steps::next_tls_extension(end) != 0
    }

    #[inline(always)]
    fn tls_name(&mut self, end: u32) -> bool {
        steps::next_tls_name(end) != 0
    }

    #[inline(always)]
    fn redis_word(&mut self, taken: u32, len: u32) -> bool {
        steps::next_redis_word(taken, len) != 0
    }

    #[inline(always)]
    fn postgresql_message(&mut self, taken: u32, len: u32) -> bool {
        steps::next_postgresql_message(taken, len) != 0
    }

    #[inline(always)]
    fn walk(&mut self) -> Walk {
        // SAFETY: the pointer is that of a reference. Volatile, because another function may have written there.
        unsafe { (&raw const self.walk).read_volatile() }
    }

    #[inline(always)]
    fn set_walk(&mut self, walk: Walk) {
        // SAFETY: the pointer is that of a reference. Volatile, because another function may read there.
        unsafe { (&raw mut self.walk).write_volatile(walk) }
    }

    #[inline(always)]
    fn target_word(&mut self, from: u32, len: u32) -> bool {
        steps::next_target_word(from, len) != 0
    }

    #[inline(always)]
    fn target_goes_on(&mut self) -> bool {
        steps::find_target_end() != 0
    }

    #[inline(always)]
    fn note_target(&mut self, target: u64) {
        self.target = target;
    }

    #[inline(always)]
    fn opaque(&mut self, number: u32) -> u32 {
        self.opaque_long(number.into()) as u32
    }

    #[inline(always)]
    fn opaque_long(&mut self, number: u64) -> u64 {
        let cell = &raw mut self.number;
        // SAFETY: the pointer is that of a reference.
        unsafe {
            cell.write_volatile(number);
            cell.read_volatile()
        }
    }
}
