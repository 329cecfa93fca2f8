//! Where lines end.

use super::{
    Message, PREFIX_BYTES, WORD_BYTES,
    word::{bytes_equal, first_set},
};

/// Words of what is taken of a message, and those of them in which most lines end.
const MAX_WORDS: u32 = (PREFIX_BYTES / WORD_BYTES) as u32;
const NEAR_WORDS: u32 = 16;

/// Bit of an offset: the line does not end before it.
pub(in crate::conversation) const GOES_ON: u32 = 1 << 31;

/// Where the line ends that begins at an offset of what was taken of a message, which is `len` bytes; at `len` if it goes
/// on.
#[inline(always)]
pub fn line_feed(message: &mut impl Message, from: u32, len: u32) -> u32 {
    let mut at = from;
    for _ in 0..MAX_WORDS / NEAR_WORDS {
        let feed = message.near_line_feed(at, len);
        if feed & GOES_ON == 0 {
            return feed;
        }
        at = feed & !GOES_ON;
    }
    len
}

/// The same within a few words: if it ends in none of them, where they end, with [`GOES_ON`].
#[inline(always)]
pub fn near_line_feed(message: &mut impl Message, from: u32, len: u32) -> u32 {
    let (mut at, mut feeds) = (from, 0);
    for _ in 0..NEAR_WORDS {
        if at >= len {
            return len;
        }
        let begin = at & !7;
        feeds = bytes_equal(message.aligned_word(at / 8), b'\n') & (u64::MAX >> (8 * (at - begin)));
        at = begin;
        if feeds != 0 {
            break;
        }
        at += 8;
    }
    if feeds == 0 { at | GOES_ON } else { at + first_set(feeds) }
}

/// Whether a send of `len` bytes is a single line, with its end.
#[inline(always)]
pub(in crate::conversation) fn is_one_line(message: &mut impl Message, len: u32) -> bool {
    let prefix_len = message.prefix().unwrap_or(0);
    prefix_len == len && message.line_feed(0, prefix_len) + 1 == len
}
