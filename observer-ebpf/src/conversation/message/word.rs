//! Operations on eight bytes of a message as one number.

use super::WORD_BYTES;

/// Whether a word begins with this text.
#[inline(always)]
pub(in crate::conversation) fn starts_with<const N: usize>(word: u64, text: &[u8; N]) -> bool {
    const { assert!(N > 0 && N <= WORD_BYTES) };
    word >> (64 - 8 * N) == number_of(text)
}

/// The text as a number, its first byte the highest.
#[inline(always)]
const fn number_of<const N: usize>(text: &[u8; N]) -> u64 {
    let mut word = 0;
    let mut index = 0;
    while index < N {
        word = word << 8 | text[index] as u64;
        index += 1;
    }
    word
}

/// Whether a word begins with this lower-case text, ignoring the word's case.
#[inline(always)]
pub(in crate::conversation) fn starts_with_any_case<const N: usize>(word: u64, text: &[u8; N]) -> bool {
    starts_with(lower(word), text)
}

/// Converts letters to lower case. Also changes some other bytes.
#[inline(always)]
pub(in crate::conversation) fn lower(word: u64) -> u64 {
    word | 0x2020_2020_2020_2020
}

/// A byte of a word, counted from the highest.
#[inline(always)]
pub(in crate::conversation) fn byte(word: u64, index: u32) -> u8 {
    (word >> (56 - 8 * index)) as u8
}

/// Two bytes of a word.
#[inline(always)]
pub(in crate::conversation) fn u16_of(word: u64, index: u32) -> u32 {
    u32::from((word >> (48 - 8 * index)) as u16)
}

pub(in crate::conversation) const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
const EACH: u64 = 0x0101_0101_0101_0101;

/// The high bit of each byte that equals `to`, and no other bit.
#[inline(always)]
pub(in crate::conversation) fn bytes_equal(word: u64, to: u8) -> u64 {
    let other = word ^ (EACH * u64::from(to));
    // The addition cannot carry into the next byte.
    !(((other & !HIGH_BITS) + !HIGH_BITS) | other) & HIGH_BITS
}

/// The high bit of each byte from `low` to `high`, and no other bit. Both bounds are ASCII.
#[inline(always)]
pub(in crate::conversation) fn bytes_within(word: u64, low: u8, high: u8) -> u64 {
    let ascii = word & !HIGH_BITS;
    let is_low_or_more = ascii + EACH * (0x80 - u64::from(low));
    let is_more_than_high = ascii + EACH * (0x7f - u64::from(high));
    is_low_or_more & !is_more_than_high & !word & HIGH_BITS
}

/// Index of the first byte whose high bit is set. 8 if none is.
#[inline(always)]
pub(in crate::conversation) fn first_set(bits: u64) -> u32 {
    bits.leading_zeros() / 8
}

/// The leading digits of a word as a number, and how many there are. Adds pairs of the eight digits, then pairs of
/// pairs.
#[inline(always)]
pub(in crate::conversation) fn digits(word: u64) -> (u64, u32) {
    let count = first_set(!bytes_within(word, b'0', b'9') & HIGH_BITS);
    if count == 0 {
        return (0, 0);
    }
    let ones = word >> (64 - 8 * count) & 0x0f0f_0f0f_0f0f_0f0f;
    let pairs = (ones & 0x000f_000f_000f_000f) + 10 * (ones >> 8 & 0x000f_000f_000f_000f);
    let fours = (pairs & 0x0000_00ff_0000_00ff) + 100 * (pairs >> 16 & 0x0000_00ff_0000_00ff);
    ((fours & 0xffff_ffff) + 10_000 * (fours >> 32), count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_comparisons_ignore_neighbours() {
        for value in 0..=255_u8 {
            for index in 0..8 {
                // Neighbours that could cause carries and borrows.
                for neighbour in [0, 1, 0x7f, 0x80, 0xff, b'A', b'Z' + 1] {
                    let mut bytes = [neighbour; 8];
                    bytes[index] = value;
                    let word = u64::from_be_bytes(bytes);
                    let bit = 0x80 << (56 - 8 * index);
                    assert_eq!(bytes_equal(word, b'\n') & bit != 0, value == b'\n', "{bytes:?}");
                    assert_eq!(bytes_within(word, b'A', b'Z') & bit != 0, value.is_ascii_uppercase(), "{bytes:?}");
                }
            }
        }
        assert_eq!((first_set(0), first_set(0x80), first_set(HIGH_BITS)), (8, 7, 0));
    }
}
