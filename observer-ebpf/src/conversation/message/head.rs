//! The first bytes at an offset of a message.

use super::{
    HEAD_BYTES, WORD_BYTES,
    word::{byte, starts_with},
};

/// A few bytes from an offset on. Not an Option, because the verifier would walk None separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The first byte is the highest of the first word. Bytes past `len` are 0.
    pub words: [u64; HEAD_BYTES / WORD_BYTES],
    pub len: u32,
}

impl Head {
    /// Bytes that cannot be read.
    pub const NONE: Self = Self { words: [0; HEAD_BYTES / WORD_BYTES], len: 0 };

    /// A byte at an index known at compile time.
    #[inline(always)]
    pub(in crate::conversation) fn byte(self, index: u32) -> u8 {
        byte(self.words[index as usize / WORD_BYTES], index % WORD_BYTES as u32)
    }

    /// The eight bytes at an offset known at compile time, up to 24.
    #[inline(always)]
    pub(in crate::conversation) fn word_at(self, offset: u32) -> u64 {
        let (index, shift) = (offset as usize / WORD_BYTES, offset % WORD_BYTES as u32 * 8);
        if shift == 0 {
            return self.words[index];
        }
        self.words[index] << shift | self.words[index + 1] >> (64 - shift)
    }

    /// Whether a text of at most eight bytes stands at an offset. Compares numbers, which suits the verifier.
    #[inline(always)]
    pub(in crate::conversation) fn has<const N: usize>(self, offset: u32, text: &[u8; N]) -> bool {
        starts_with(self.word_at(offset), text)
    }

    /// Whether the head begins with this text.
    #[inline(always)]
    pub(in crate::conversation) fn starts_with<const N: usize>(self, text: &[u8; N]) -> bool {
        self.has(0, text)
    }

    #[inline(always)]
    pub(in crate::conversation) fn u16_at(self, offset: u32) -> u32 {
        (self.word_at(offset) >> 48) as u32
    }

    #[inline(always)]
    pub(in crate::conversation) fn u32_at(self, offset: u32) -> u32 {
        (self.word_at(offset) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(bytes: &[u8]) -> Head {
        let mut all = [0; HEAD_BYTES];
        all[..bytes.len()].copy_from_slice(bytes);
        let words = core::array::from_fn(|n| u64::from_be_bytes(core::array::from_fn(|i| all[n * WORD_BYTES + i])));
        Head { words, len: bytes.len() as u32 }
    }

    #[test]
    fn text_is_found_at_any_offset() {
        let head = head(b"*2\r\n$4\r\nHELLO\r\n$1\r\n3\r\nxyzxyzxyz");
        assert!(
            head.starts_with(b"*2\r\n")
                && head.has(4, b"$4\r\n")
                && head.has(8, b"HELLO")
                && head.has(18, b"\n3\r\nxyz")
        );
        assert!(!head.has(9, b"HELLO"));
        assert_eq!((head.byte(0), head.byte(17), head.byte(30)), (b'*', b'\r', b'z'));
        assert_eq!(head.u16_at(8), u32::from(u16::from_be_bytes(*b"HE")));
    }
}
