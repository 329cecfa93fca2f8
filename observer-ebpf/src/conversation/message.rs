//! A send, or a read, as far as its bytes can be seen: its first bytes at any offset, and its beginning in one piece.

mod head;
mod line;
mod word;

use super::{
    protocols::http1::{Framing, RequestLine},
    subprogram,
};
pub use head::Head;
pub(super) use line::GOES_ON;
pub(super) use line::is_one_line;
pub use line::{line_feed, near_line_feed};
pub(super) use word::{
    HIGH_BITS, byte, bytes_equal, bytes_within, digits, first_set, lower, starts_with, starts_with_any_case, u16_of,
};

/// How many bytes are read at a time. 32 cost what 8 cost: what is paid for is the call.
pub const HEAD_BYTES: usize = 32;

/// How much of a message is looked at in one piece: with keys that withstand quantum computers, a `ClientHello` has up to
/// 1,800 bytes; heads of requests are shorter. A power of two.
pub const PREFIX_BYTES: usize = 2048;

/// The first bytes of a message in one piece, and room behind them, so that [`WORD_BYTES`] can be read at any of them.
pub type Prefix = [u8; PREFIX_BYTES + WORD_BYTES];

/// Bytes of a word.
pub const WORD_BYTES: usize = 8;

/// A send or a read, as far as it can be seen. Offsets count from where it begins, or from what was skipped last.
pub trait Message {
    /// The bytes from `offset` on. Fewer than [`HEAD_BYTES`] only where the message ends, or behind many small buffers; none
    /// where they cannot be read. What [`Self::prefix`] has taken may be gone.
    fn head(&mut self, offset: u32) -> Head;

    /// What [`Self::head`] gave last.
    fn last_head(&mut self) -> Head;

    /// Takes the beginning in one piece, up to [`PREFIX_BYTES`]: how many bytes of it there are.
    fn prefix(&mut self) -> Option<u32>;

    /// The word at an offset of what was taken, its first byte the highest. Behind its end the bytes may be anything.
    fn word_at(&mut self, offset: u32) -> u64;

    /// The word with this number of what was taken: those at offsets that are multiples of [`WORD_BYTES`] cost less.
    fn aligned_word(&mut self, number: u32) -> u64 {
        self.word_at(number * WORD_BYTES as u32)
    }

    /// From here on offsets count from this one.
    fn skip(&mut self, bytes: u32);

    /// How far a loop has come over what was taken, and what it has found.
    fn cursor(&mut self) -> Cursor;

    /// Keeps that.
    fn set_cursor(&mut self, cursor: Cursor);

    /// See [`subprogram::framing`]. This and what follows are steps, each of which the kernel side has verified by itself.
    fn framing(&mut self, from: u32, len: u32) -> Framing
    where
        Self: Sized,
    {
        subprogram::framing(self, from, len)
    }

    /// See [`subprogram::next_line`].
    fn next_line(&mut self, at: u32, len: u32) -> u32
    where
        Self: Sized,
    {
        subprogram::next_line(self, at, len)
    }

    /// See [`subprogram::line_feed`].
    fn line_feed(&mut self, at: u32, len: u32) -> u32
    where
        Self: Sized,
    {
        subprogram::line_feed(self, at, len)
    }

    /// See [`subprogram::near_line_feed`].
    fn near_line_feed(&mut self, at: u32, len: u32) -> u32
    where
        Self: Sized,
    {
        subprogram::near_line_feed(self, at, len)
    }

    /// See [`subprogram::parse_header`].
    fn parse_header(&mut self, at: u32)
    where
        Self: Sized,
    {
        subprogram::parse_header(self, at);
    }

    /// See [`subprogram::request_line`].
    fn request_line(&mut self) -> RequestLine
    where
        Self: Sized,
    {
        subprogram::request_line(self)
    }

    /// See [`subprogram::recognise`].
    fn recognise(&mut self, len: u32, context: u32) -> u8
    where
        Self: Sized,
    {
        subprogram::recognise(self, len, context) as u8
    }

    /// See [`subprogram::is_setting`].
    fn is_setting(&mut self, from: u32, len: u32) -> bool
    where
        Self: Sized,
    {
        subprogram::is_setting(self, from, len)
    }

    /// See [`subprogram::statement_end`].
    fn statement_end(&mut self, at: u32, len: u32) -> u32
    where
        Self: Sized,
    {
        subprogram::statement_end(self, at, len)
    }

    /// See [`subprogram::tls_extension`].
    fn tls_extension(&mut self, end: u32) -> bool
    where
        Self: Sized,
    {
        subprogram::tls_extension(self, end)
    }

    /// See [`subprogram::tls_name`].
    fn tls_name(&mut self, end: u32) -> bool
    where
        Self: Sized,
    {
        subprogram::tls_name(self, end)
    }

    /// See [`subprogram::redis_word`].
    fn redis_word(&mut self, prefix_len: u32, len: u32) -> bool
    where
        Self: Sized,
    {
        subprogram::redis_word(self, prefix_len, len)
    }

    /// See [`subprogram::postgresql_message`].
    fn postgresql_message(&mut self, prefix_len: u32, len: u32) -> bool
    where
        Self: Sized,
    {
        subprogram::postgresql_message(self, prefix_len, len)
    }

    /// See [`subprogram::target_word`].
    fn target_word(&mut self, from: u32, len: u32) -> bool
    where
        Self: Sized,
    {
        subprogram::target_word(self, from, len)
    }

    /// See [`subprogram::target_goes_on`].
    fn target_goes_on(&mut self) -> bool
    where
        Self: Sized,
    {
        subprogram::target_goes_on(self)
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
pub struct Cursor {
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
