//! The target of a connection, if its client names one before it asks: the server name of a `ClientHello` (RFC 6066),
//! or the host that a proxy should connect to. Connections of one group with different targets cannot stand in for each
//! other. Targets are compared by hash, so no name leaves the kernel.

use super::{
    Cursor, Message, WORD_BYTES,
    message::{bytes_equal, first_set, lower},
};

/// The connection has a target that cannot be compared.
pub const TARGET_UNCLEAR: u64 = u64::MAX;

/// A `ClientHello` without a server name, and a connection without any target. No hash has these values.
pub(super) const NO_SERVER_NAME: u64 = 2;
pub const NO_TARGET: u64 = 4;

/// The longest host name has 253 bytes, and `CONNECT` appends a port. Only this many bytes of a longer one are
/// compared.
const MAX_BYTES: u32 = 264;
const MAX_WORDS: u32 = MAX_BYTES / WORD_BYTES as u32;

/// `CONNECT` and a space.
const METHOD_BYTES: u32 = 8;

/// FNV-1a's constants (64 bits), applied to a word at a time.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// Hashes `len` bytes of the prefix from an offset on, ignoring case. Never returns 0.
#[inline(always)]
pub(super) fn hash(message: &mut impl Message, from: u32, len: u32) -> u64 {
    let len = if len > MAX_BYTES { MAX_BYTES } else { len };
    message.set_cursor(Cursor { number: OFFSET ^ u64::from(len), ..Cursor::default() });
    for _ in 0..MAX_WORDS {
        if !message.target_word(from, len) {
            break;
        }
    }
    // An odd number is neither 0 nor NO_SERVER_NAME.
    let hash = message.cursor().number | 1;
    if hash == TARGET_UNCLEAR { 1 } else { hash }
}

/// Hashes the next word of a target of `len` bytes, from an offset of the prefix on. Returns whether another word may
/// follow. The cursor's number holds the hash.
#[inline(always)]
pub fn next_word(message: &mut impl Message, from: u32, len: u32) -> bool {
    let mut cursor = message.cursor();
    if cursor.at >= len {
        return false;
    }
    let left = len - cursor.at;
    let behind = if left < WORD_BYTES as u32 { 64 - 8 * left } else { 0 };
    let word = lower(message.word_at(from.wrapping_add(cursor.at))) >> behind;
    // The rotation returns the mixed high bits to the low end.
    cursor.number = (cursor.number ^ word).wrapping_mul(PRIME).rotate_left(23);
    cursor.at += WORD_BYTES as u32;
    message.set_cursor(cursor);
    true
}

/// The target of the `CONNECT` request that begins the message.
#[inline(always)]
pub(super) fn of_connect(message: &mut impl Message) -> u64 {
    let prefix_len = message.prefix().unwrap_or(0);
    message.set_cursor(Cursor { at: METHOD_BYTES, ..Cursor::default() });
    for _ in 0..MAX_WORDS {
        if !message.target_goes_on() {
            break;
        }
    }
    let Cursor { at: end, found, .. } = message.cursor();
    let end = message.opaque(end);
    if found == 0 || end >= prefix_len { TARGET_UNCLEAR } else { hash(message, METHOD_BYTES, end - METHOD_BYTES) }
}

/// Searches the next word for the target's end, a space, and leaves the cursor there. Returns whether the target
/// continues.
#[inline(always)]
pub fn goes_on(message: &mut impl Message) -> bool {
    let mut cursor = message.cursor();
    let spaces = bytes_equal(message.word_at(cursor.at), b' ');
    cursor.found = u32::from(spaces != 0);
    cursor.at += first_set(spaces);
    message.set_cursor(cursor);
    spaces == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::Sent;

    fn hash_of(name: &str) -> u64 {
        hash(&mut Sent::new(name.as_bytes()), 0, name.len() as u32)
    }

    fn connect(request: &str) -> u64 {
        of_connect(&mut Sent::new(request.as_bytes()))
    }

    #[test]
    fn hash_depends_on_each_letter_but_not_on_case() {
        let names =
            ["", "a", "b", "ab", "ba", "a.example", "b.example", "example.com", "example.org", "www.example.com"];
        for (index, name) in names.iter().enumerate() {
            assert!(names[..index].iter().all(|other| hash_of(other) != hash_of(name)), "{name}");
            assert_eq!(hash_of(name), hash_of(&name.to_uppercase()));
            assert!(![0, NO_SERVER_NAME, TARGET_UNCLEAR].contains(&hash_of(name)));
        }
        let long = "a".repeat(300);
        assert_ne!(hash_of(&long), hash_of(&long[..200]));
    }

    #[test]
    fn hash_ignores_bytes_after_the_name() {
        let one = connect("CONNECT example.com:443 HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(one, connect("CONNECT Example.com:443 HTTP/1.0\r\n\r\n"));
        assert_ne!(one, connect("CONNECT example.com:8443 HTTP/1.1\r\n\r\n"));
        assert_ne!(one, TARGET_UNCLEAR);
    }

    #[test]
    fn target_without_an_end_is_unclear() {
        assert_eq!(connect("CONNECT example.com"), TARGET_UNCLEAR);
        assert_eq!(connect(&format!("CONNECT {} HTTP/1.1\r\n\r\n", "a".repeat(300))), TARGET_UNCLEAR);
    }
}
