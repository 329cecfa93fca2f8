//! Whom a connection is for, where its client says so before it asks: the server name of a `ClientHello` (RFC 6066), or
//! what a proxy is asked for. Connections of one group for different targets cannot stand in for each other. They are
//! compared by a hash: no name leaves the kernel.

use super::{
    Message, WORD_BYTES,
    message::{bytes_equal, first_set, lower},
};

/// It has a target that cannot be compared.
pub const TARGET_UNCLEAR: u64 = u64::MAX;

/// A `ClientHello` without a server name. No hash is this number.
pub(super) const NAMELESS: u64 = 2;

/// The longest host name has 253 bytes; `CONNECT` puts a port behind it. Of what is longer, the beginning is compared.
const MAX_BYTES: u32 = 264;

/// `CONNECT` and a space.
const METHOD_BYTES: u32 = 8;

/// FNV-1a's numbers (64 bits), taken a word at a time.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// A hash of `len` bytes at an offset of what was taken, in which upper and lower case are the same. Never 0.
#[inline(always)]
pub fn hash_target(message: &mut impl Message, from: u32, len: u32) -> u64 {
    let len = if len > MAX_BYTES { MAX_BYTES } else { len };
    let mut hash = message.opaque_long(OFFSET ^ u64::from(len));
    let mut at = message.opaque(0);
    for _ in 0..MAX_BYTES / WORD_BYTES as u32 {
        if at >= len {
            break;
        }
        let left = len - at;
        let behind = if left < WORD_BYTES as u32 { 64 - 8 * left } else { 0 };
        let word = lower(message.begins(from.wrapping_add(at))) >> behind;
        // The rotation brings what the multiplication has mixed into high bits back to the low ones.
        hash = message.opaque_long((hash ^ word).wrapping_mul(PRIME).rotate_left(23));
        at = message.opaque(at + WORD_BYTES as u32);
    }
    // Odd: neither 0 nor NAMELESS.
    let hash = hash | 1;
    if hash == TARGET_UNCLEAR { 1 } else { hash }
}

/// The target of a `CONNECT`, whose request begins the message.
#[inline(always)]
pub(super) fn of_connect(message: &mut impl Message) -> u64 {
    let taken = message.beginning().unwrap_or(0);
    let mut at = message.opaque(METHOD_BYTES);
    for _ in 0..MAX_BYTES / WORD_BYTES as u32 {
        let spaces = bytes_equal(message.begins(at), b' ');
        if spaces != 0 {
            let end = message.opaque(at + first_set(spaces));
            return if end < taken { message.hash_target(METHOD_BYTES, end - METHOD_BYTES) } else { TARGET_UNCLEAR };
        }
        at = message.opaque(at + WORD_BYTES as u32);
    }
    TARGET_UNCLEAR
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::Sent;

    fn hash(name: &str) -> u64 {
        hash_target(&mut Sent::new(name.as_bytes()), 0, name.len() as u32)
    }

    fn connect(request: &str) -> u64 {
        of_connect(&mut Sent::new(request.as_bytes()))
    }

    #[test]
    fn names_differ_by_each_letter_and_not_by_their_case() {
        let names =
            ["", "a", "b", "ab", "ba", "a.example", "b.example", "example.com", "example.org", "www.example.com"];
        for (index, name) in names.iter().enumerate() {
            assert!(names[..index].iter().all(|other| hash(other) != hash(name)), "{name}");
            assert_eq!(hash(name), hash(&name.to_uppercase()));
            assert!(![0, NAMELESS, TARGET_UNCLEAR].contains(&hash(name)));
        }
        let long = "a".repeat(300);
        assert_ne!(hash(&long), hash(&long[..200]));
    }

    #[test]
    fn what_is_behind_the_name_does_not_matter() {
        let one = connect("CONNECT example.com:443 HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(one, connect("CONNECT Example.com:443 HTTP/1.0\r\n\r\n"));
        assert_ne!(one, connect("CONNECT example.com:8443 HTTP/1.1\r\n\r\n"));
        assert_ne!(one, TARGET_UNCLEAR);
    }

    #[test]
    fn a_target_without_an_end_is_unclear() {
        assert_eq!(connect("CONNECT example.com"), TARGET_UNCLEAR);
        assert_eq!(connect(&format!("CONNECT {} HTTP/1.1\r\n\r\n", "a".repeat(300))), TARGET_UNCLEAR);
    }
}
