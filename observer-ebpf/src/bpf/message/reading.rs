//! Reads of a message's bytes.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::generated::{
    bpf_probe_read_kernel as probe_read_kernel, bpf_probe_read_user as probe_read_user,
};
use tcp_reuse_watch_ebpf::{HEAD_BYTES, Message as _, PREFIX_BYTES, WORD_BYTES};

use super::scratch::{Scratch, scratch};
use crate::bpf::frozen::frozen;

/// Number of buffers that are read to assemble the prefix. Some clients (Erlang's) write each word from its own.
const MAX_PIECES: u32 = 8;

/// A mask of ones. A larger piece is read in two.
const LARGEST_PIECE: u32 = PREFIX_BYTES as u32 - 1;

/// Loads the prefix, and takes the head from it. Where more than the head will be needed, this saves a read.
#[inline(always)]
pub(in crate::bpf) fn load_prefix_and_head() {
    load_prefix(0);
    head_of_prefix();
}

/// Reads up to HEAD_BYTES of the `available` bytes in the current buffer. Returns the number of bytes read, or 0 on
/// failure.
///
/// This is a function of its own with almost no stack, because the destination matters: a copy from user memory to
/// anything but the stack goes through a lengthy check (`__check_object_size()`, mm/usercopy.c), which takes a third of
/// a send's time. The stack of a BPF function that uses 64 bytes or more is allocated elsewhere and would be checked
/// too (`BPF_PRIV_STACK_MIN_SIZE`, kernel/bpf/verifier.c, since 6.13).
#[inline(never)]
fn read_head(scratch: &mut Scratch, offset: u32, available: u32) -> u32 {
    let mut words = MaybeUninit::<[u64; HEAD_BYTES / WORD_BYTES]>::uninit();
    for index in 0..HEAD_BYTES / WORD_BYTES {
        // SAFETY: the index is within the array. Volatile, or the compiler would call `memset()`, which sets single
        // bytes.
        unsafe { words.as_mut_ptr().cast::<u64>().add(index).write_volatile(0) };
    }
    let (to, from) = (words.as_mut_ptr().cast(), scratch.address_of(offset));
    let in_kernel = scratch.kind == frozen!(SWITCHES.iter_kvec);
    let len = if available < HEAD_BYTES as u32 { available } else { HEAD_BYTES as u32 };
    // SAFETY: `to` has room for HEAD_BYTES, and `len` is no more. A bad `from` makes the helper fail.
    let result = unsafe { if in_kernel { probe_read_kernel(to, len, from) } else { probe_read_user(to, len, from) } };
    // SAFETY: every word was set above, and the helper leaves the bytes that it cannot read zero.
    scratch.head = unsafe { words.assume_init() };
    if result == 0 { len } else { 0 }
}

/// Loads the head at an offset. Verified separately, as in `inspection.rs`.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn load_head(offset: u32) -> u32 {
    let Some(scratch) = scratch() else { return 0 };
    let offset = offset.wrapping_add(scratch.skipped);
    let available = scratch.seek(offset);
    if available >= HEAD_BYTES as u32 || offset.wrapping_add(available) >= scratch.total {
        scratch.head_len = read_head(scratch, offset, available);
        return scratch.head_len;
    }
    // The head continues in the next buffer.
    load_prefix(offset);
    head_of_prefix()
}

/// Takes the head from the prefix that was loaded last.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn head_of_prefix() -> u32 {
    let Some(scratch) = scratch() else { return 0 };
    let prefix_len = scratch.prefix_len;
    scratch.head_len = if prefix_len < HEAD_BYTES as u32 { prefix_len } else { HEAD_BYTES as u32 };
    for index in 0..HEAD_BYTES / WORD_BYTES {
        // Bytes past the end are left over from another message.
        let behind = prefix_len.saturating_sub((index * WORD_BYTES) as u32);
        let mask =
            if behind >= WORD_BYTES as u32 { u64::MAX } else { !(u64::MAX >> 1 >> (8 * behind).saturating_sub(1)) };
        let mask = if behind == 0 { 0 } else { mask };
        scratch.head[index] = (scratch.aligned_word(index as u32) & mask).to_be();
    }
    scratch.head_len
}

/// Loads the message's first bytes from an offset on into one piece. Returns their number, or 0 if they cannot be read.
/// Verified separately, as in `inspection.rs`.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn load_prefix(offset: u32) -> u32 {
    let Some(scratch) = scratch() else { return 0 };
    if scratch.prefix_len > 0 && scratch.prefix_at == offset {
        return scratch.prefix_len;
    }
    let in_kernel = scratch.kind == frozen!(SWITCHES.iter_kvec);
    let mut prefix_len = 0;
    for _ in 0..MAX_PIECES {
        let from = offset.wrapping_add(prefix_len);
        if from >= scratch.total || prefix_len >= PREFIX_BYTES as u32 {
            break;
        }
        let available = scratch.seek(from);
        let room = PREFIX_BYTES as u32 - prefix_len;
        let room = if room > LARGEST_PIECE { LARGEST_PIECE } else { room };
        // Masked for the verifier. The value is in range anyway.
        let len = scratch.opaque(if available < room { available } else { room }) & LARGEST_PIECE;
        if len == 0 {
            break;
        }
        let at = scratch.opaque(prefix_len) as usize & (PREFIX_BYTES - 1);
        let from = scratch.address_of(from);
        // SAFETY: each byte of the prefix is followed by room for as much again, and `len` is no more. A bad address
        // makes the helper fail.
        let result = unsafe {
            let to = (&raw mut scratch.prefix).cast::<u8>().add(at).cast();
            if in_kernel { probe_read_kernel(to, len, from) } else { probe_read_user(to, len, from) }
        };
        if result != 0 {
            break;
        }
        prefix_len = scratch.opaque(prefix_len + len);
    }
    scratch.prefix_at = offset;
    scratch.prefix_len = prefix_len;
    prefix_len
}
