//! The ends of lines.

use super::{
    Message, PREFIX_BYTES, WORD_BYTES,
    word::{bytes_equal, first_set},
};

/// Number of words in the prefix, and number of words in which most lines end.
const MAX_WORDS: u32 = (PREFIX_BYTES / WORD_BYTES) as u32;
const NEAR_WORDS: u32 = 16;

/// Bit of an offset: the line does not end before it.
pub(in crate::conversation) const GOES_ON: u32 = 1 << 31;

/// Finds the end of the line that begins at an offset of the prefix, which is `len` bytes long. Returns `len` if the
/// line continues.
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

/// Finds the end of a line within a few words. If it ends in none of them, returns their end with [`GOES_ON`].
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

/// Whether a send of `len` bytes is one complete line.
#[inline(always)]
pub(in crate::conversation) fn is_one_line(message: &mut impl Message, len: u32) -> bool {
    let prefix_len = message.prefix().unwrap_or(0);
    prefix_len == len && message.line_feed(0, prefix_len) + 1 == len
}
