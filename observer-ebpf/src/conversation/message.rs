//! A send, or a read, as far as its bytes can be seen: its first bytes at any offset, and its beginning in one piece.

use super::{
    http1::{Framing, RequestLine},
    step,
};

/// How many bytes are read at a time. 32 cost what 8 cost: what is paid for is the call.
pub const HEAD_BYTES: usize = 32;

/// How much of a message is looked at in one piece: with keys that withstand quantum computers, a `ClientHello` has up to
/// 1,800 bytes; heads of requests are shorter. A power of two.
pub const BEGINNING_BYTES: usize = 2048;

/// The first bytes of a message in one piece, and room behind them, so that [`WORD_BYTES`] can be read at any of them.
pub type Beginning = [u8; BEGINNING_BYTES + WORD_BYTES];

/// Bytes of a word.
pub const WORD_BYTES: usize = 8;

/// A send or a read, as far as it can be seen. Offsets count from where it begins, or from what was skipped last.
pub trait Message {
    /// The bytes from `offset` on. Fewer than [`HEAD_BYTES`] only where the message ends, or behind many small buffers; none
    /// where they cannot be read. What [`Self::beginning`] has taken may be gone.
    fn head(&mut self, offset: u32) -> Head;

    /// What [`Self::head`] gave last.
    fn last_head(&mut self) -> Head;

    /// Takes the beginning in one piece, up to [`BEGINNING_BYTES`]: how many bytes of it there are.
    fn beginning(&mut self) -> Option<u32>;

    /// The word at an offset of what was taken, its first byte the highest. Behind its end the bytes may be anything.
    fn begins(&mut self, offset: u32) -> u64;

    /// The word with this number of what was taken: those at offsets that are multiples of [`WORD_BYTES`] cost less.
    fn word(&mut self, number: u32) -> u64 {
        self.begins(number * WORD_BYTES as u32)
    }

    /// From here on offsets count from this one.
    fn skip(&mut self, bytes: u32);

    /// How far a loop has come over what was taken, and what it has found.
    fn walk(&mut self) -> Walk;

    /// Keeps that.
    fn set_walk(&mut self, walk: Walk);

    /// See [`step::framing`]. This and what follows are steps, each of which the kernel side has verified by itself.
    fn framing(&mut self, from: u32, len: u32) -> Framing
    where
        Self: Sized,
    {
        step::framing(self, from, len)
    }

    /// See [`step::next_line`].
    fn next_line(&mut self, at: u32, len: u32) -> u32
    where
        Self: Sized,
    {
        step::next_line(self, at, len)
    }

    /// See [`step::line_feed`].
    fn line_feed(&mut self, at: u32, len: u32) -> u32
    where
        Self: Sized,
    {
        step::line_feed(self, at, len)
    }

    /// See [`step::near_line_feed`].
    fn near_line_feed(&mut self, at: u32, len: u32) -> u32
    where
        Self: Sized,
    {
        step::near_line_feed(self, at, len)
    }

    /// See [`step::read_line`].
    fn read_line(&mut self, at: u32)
    where
        Self: Sized,
    {
        step::read_line(self, at);
    }

    /// See [`step::request_line`].
    fn request_line(&mut self) -> RequestLine
    where
        Self: Sized,
    {
        step::request_line(self)
    }

    /// See [`step::recognise`].
    fn recognise(&mut self, len: u32, known: u32) -> u8
    where
        Self: Sized,
    {
        step::recognise(self, len, known) as u8
    }

    /// See [`step::is_setting`].
    fn is_setting(&mut self, from: u32, len: u32) -> bool
    where
        Self: Sized,
    {
        step::is_setting(self, from, len)
    }

    /// See [`step::statement_end`].
    fn statement_end(&mut self, at: u32, len: u32) -> u32
    where
        Self: Sized,
    {
        step::statement_end(self, at, len)
    }

    /// See [`step::tls_extension`].
    fn tls_extension(&mut self, end: u32) -> bool
    where
        Self: Sized,
    {
        step::tls_extension(self, end)
    }

    /// See [`step::tls_name`].
    fn tls_name(&mut self, end: u32) -> bool
    where
        Self: Sized,
    {
        step::tls_name(self, end)
    }

    /// See [`step::redis_word`].
    fn redis_word(&mut self, taken: u32, len: u32) -> bool
    where
        Self: Sized,
    {
        step::redis_word(self, taken, len)
    }

    /// See [`step::postgresql_message`].
    fn postgresql_message(&mut self, taken: u32, len: u32) -> bool
    where
        Self: Sized,
    {
        step::postgresql_message(self, taken, len)
    }

    /// See [`step::target_word`].
    fn target_word(&mut self, from: u32, len: u32) -> bool
    where
        Self: Sized,
    {
        step::target_word(self, from, len)
    }

    /// See [`step::target_goes_on`].
    fn target_goes_on(&mut self) -> bool
    where
        Self: Sized,
    {
        step::target_goes_on(self)
    }

    /// The connection is for this target: a hash, or [`super::TARGET_UNCLEAR`].
    fn note_target(&mut self, _target: u64) {}

    /// The number itself. The kernel's verifier forgets here what it knows of it, and so takes each turn of a loop for
    /// the same.
    fn opaque(&mut self, number: u32) -> u32 {
        number
    }

    fn opaque_long(&mut self, number: u64) -> u64 {
        number
    }
}

/// How far a loop over a message has come, and what it has found. It is kept with the message and not in variables: the
/// kernel's verifier follows those, and would go through each turn of the loop once for each way through the one before.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Where it goes on: an offset of what was taken.
    pub at: u32,
    /// Bits that each protocol has of its own.
    pub found: u32,
    /// A length that was found, or a place.
    pub number: u64,
    /// How many there are, or are still to come.
    pub count: u32,
    /// What was found last: where it is, or its type.
    pub last: u32,
}

/// The first bytes of something. (No Option of it: the verifier would see the bytes of None.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The first byte is the highest of the first word; those beyond `len` are 0.
    pub words: [u64; HEAD_BYTES / WORD_BYTES],
    pub len: u32,
}

impl Head {
    /// What cannot be read.
    pub const NONE: Self = Self { words: [0; HEAD_BYTES / WORD_BYTES], len: 0 };

    /// A byte, by an index that is known when this is compiled.
    #[inline(always)]
    pub(super) fn byte(self, index: u32) -> u8 {
        byte(self.words[index as usize / WORD_BYTES], index % WORD_BYTES as u32)
    }

    /// The eight bytes at an offset that is known when this is compiled, up to 24.
    #[inline(always)]
    pub(super) fn word_at(self, offset: u32) -> u64 {
        let (index, shift) = (offset as usize / WORD_BYTES, offset % WORD_BYTES as u32 * 8);
        if shift == 0 {
            return self.words[index];
        }
        self.words[index] << shift | self.words[index + 1] >> (64 - shift)
    }

    /// Whether this text, of at most eight bytes, stands at an offset. A comparison of numbers, as the kernel wants it.
    #[inline(always)]
    pub(super) fn has<const N: usize>(self, offset: u32, text: &[u8; N]) -> bool {
        starts_with(self.word_at(offset), text)
    }

    /// Whether it begins with this text.
    #[inline(always)]
    pub(super) fn starts_with<const N: usize>(self, text: &[u8; N]) -> bool {
        self.has(0, text)
    }

    #[inline(always)]
    pub(super) fn u16_at(self, offset: u32) -> u32 {
        (self.word_at(offset) >> 48) as u32
    }

    #[inline(always)]
    pub(super) fn u32_at(self, offset: u32) -> u32 {
        (self.word_at(offset) >> 32) as u32
    }
}

/// Whether a word begins with this text.
#[inline(always)]
pub(super) fn starts_with<const N: usize>(word: u64, text: &[u8; N]) -> bool {
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

/// Whether a word begins with this text in lower case, whatever case it is in itself.
#[inline(always)]
pub(super) fn starts_with_any_case<const N: usize>(word: u64, text: &[u8; N]) -> bool {
    starts_with(lower(word), text)
}

/// Letters in lower case. Of what else there is, some changes too.
#[inline(always)]
pub(super) fn lower(word: u64) -> u64 {
    word | 0x2020_2020_2020_2020
}

/// A byte of a word, counted from the highest.
#[inline(always)]
pub(super) fn byte(word: u64, index: u32) -> u8 {
    (word >> (56 - 8 * index)) as u8
}

/// Two bytes of a word.
#[inline(always)]
pub(super) fn u16_of(word: u64, index: u32) -> u32 {
    u32::from((word >> (48 - 8 * index)) as u16)
}

pub(super) const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
const EACH: u64 = 0x0101_0101_0101_0101;

/// The high bit of each byte of the word that is this one, and no other bit.
#[inline(always)]
pub(super) fn bytes_equal(word: u64, to: u8) -> u64 {
    let other = word ^ (EACH * u64::from(to));
    // Adding cannot carry into the next byte.
    !(((other & !HIGH_BITS) + !HIGH_BITS) | other) & HIGH_BITS
}

/// The high bit of each byte of the word from `low` to `high`, of which both are ASCII, and no other bit.
#[inline(always)]
pub(super) fn bytes_within(word: u64, low: u8, high: u8) -> u64 {
    let ascii = word & !HIGH_BITS;
    let is_low_or_more = ascii + EACH * (0x80 - u64::from(low));
    let is_more_than_high = ascii + EACH * (0x7f - u64::from(high));
    is_low_or_more & !is_more_than_high & !word & HIGH_BITS
}

/// The index of the first byte whose high bit is set; 8 if none is.
#[inline(always)]
pub(super) fn first_set(bits: u64) -> u32 {
    bits.leading_zeros() / 8
}

/// The digits that a word begins with, as a number, and how many there are. Of eight digits at a time, pairs are added up,
/// then pairs of pairs.
#[inline(always)]
pub(super) fn digits(word: u64) -> (u64, u32) {
    let count = first_set(!bytes_within(word, b'0', b'9') & HIGH_BITS);
    if count == 0 {
        return (0, 0);
    }
    let ones = word >> (64 - 8 * count) & 0x0f0f_0f0f_0f0f_0f0f;
    let pairs = (ones & 0x000f_000f_000f_000f) + 10 * (ones >> 8 & 0x000f_000f_000f_000f);
    let fours = (pairs & 0x0000_00ff_0000_00ff) + 100 * (pairs >> 16 & 0x0000_00ff_0000_00ff);
    ((fours & 0xffff_ffff) + 10_000 * (fours >> 32), count)
}

/// Whether a send of `len` bytes is a single line, with its end.
#[inline(always)]
pub(super) fn is_one_line(message: &mut impl Message, len: u32) -> bool {
    let taken = message.beginning().unwrap_or(0);
    taken == len && message.line_feed(0, taken) + 1 == len
}

/// Where a send begins, and what came before it, in bytes of payload since the connection began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// Its first byte.
    pub at: u64,
    /// End of the payload that has come, and of what the application has consumed of it.
    pub received: u64,
    pub consumed: u64,
    /// Its length. Never 0.
    pub len: u32,
    /// Bytes before it were written that no hook saw.
    pub after_unseen: bool,
    /// It is the first, and the server has greeted with a number (SMTP, FTP).
    pub greeted: bool,
}

impl Send {
    /// Nothing was sent before it.
    #[inline(always)]
    pub(super) fn is_first(&self) -> bool {
        self.at == 0
    }

    #[inline(always)]
    pub(super) fn has_read(&self) -> bool {
        self.consumed != 0
    }

    #[inline(always)]
    pub(super) fn has_unread(&self) -> bool {
        self.received != self.consumed
    }

    #[inline(always)]
    pub(super) fn server_spoke(&self) -> bool {
        self.received != 0
    }

    /// What is left of it behind its first bytes.
    #[inline(always)]
    pub(super) fn skip(&mut self, bytes: u32) {
        self.at += u64::from(bytes);
        self.len -= bytes;
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

    #[test]
    fn bytes_of_a_word_are_told_apart() {
        for value in 0..=255_u8 {
            for index in 0..8 {
                // Among neighbours that carries and borrows would come from.
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
