//! SQL that drivers send on their own before the application's first statement: SET.

use crate::conversation::{
    Message,
    message::{HIGH_BITS, byte, bytes_equal, first_set, starts_with_any_case},
};

/// Number of words in a statement that are inspected, and number per step. Drivers' statements are shorter.
const MAX_WORDS: u32 = 40;
const NEAR_WORDS: u32 = 8;

/// Bit of an offset: the statement does not end before it.
const GOES_ON: u32 = 1 << 31;

/// Whether a single SET statement begins at an offset of the prefix of a message of `len` bytes. It ends with the
/// message or with a NUL.
#[inline(always)]
pub fn is_setting(message: &mut impl Message, from: u32, len: u32) -> bool {
    // Bytes past the message's end are arbitrary.
    if from + 4 > len || !starts_with_any_case(message.word_at(from), b"set ") {
        return false;
    }
    let mut end = from | GOES_ON;
    for _ in 0..MAX_WORDS / NEAR_WORDS {
        end = message.statement_end(end & !GOES_ON, len);
        if end & GOES_ON == 0 {
            break;
        }
    }
    if end & GOES_ON != 0 {
        return false;
    }
    let is_last = byte(message.word_at(end), 0) == 0 || byte(message.word_at(end), 1) == 0;
    end + 1 >= len || is_last
}

/// Finds where a statement may end, from an offset of the prefix of a message of `len` bytes on: at a semicolon, a NUL,
/// or the message's end. If it does not end within a few words, returns their end with [`GOES_ON`].
#[inline(always)]
pub fn statement_end(message: &mut impl Message, from: u32, len: u32) -> u32 {
    let (mut at, mut ends) = (from, 0);
    for _ in 0..NEAR_WORDS {
        if at >= len {
            return len;
        }
        let begin = at & !7;
        let word = message.aligned_word(at / 8);
        ends = (bytes_equal(word, b';') | bytes_equal(word, 0)) & (u64::MAX >> (8 * (at - begin))) & HIGH_BITS;
        at = begin;
        if ends != 0 {
            break;
        }
        at += 8;
    }
    if ends == 0 { at | GOES_ON } else { at + first_set(ends) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::Sent;

    fn sets(text: &str) -> bool {
        let bytes = [b"Q....".as_slice(), text.as_bytes()].concat();
        is_setting(&mut Sent::new(&bytes), 5, bytes.len() as u32)
    }

    #[test]
    fn set_is_a_single_statement() {
        for text in
            ["SET NAMES utf8mb4", "set x = 1\0", "SET a TO b;", "SET a TO b;\0", "Set datestyle TO 'ISO, MDY'\0B\0;"]
        {
            assert!(sets(text), "{text:?}");
        }
        for text in ["SELECT 1", "SETTINGS", "SET a TO b; SELECT 1", "set a = 1;select 2\0", "set  "] {
            assert_eq!(sets(text), text == "set  ", "{text:?}");
        }
        assert!(!sets(&format!("SET a = '{}'", "x".repeat(400))), "longer than any driver's");
    }
}
