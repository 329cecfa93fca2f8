//! The readable bytes of a send or a read: a few bytes at any offset, and the first 2 KB in one piece.

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

/// Number of bytes read at a time. 32 cost as much as 8, because the call dominates.
pub const HEAD_BYTES: usize = 32;

/// Size of the part that is read in one piece. A `ClientHello` with post-quantum keys has up to 1,800 bytes, and
/// request heads are shorter. A power of two.
pub const PREFIX_BYTES: usize = 2048;

/// The first bytes of a message in one piece, with room after them to read [`WORD_BYTES`] at any offset.
pub type Prefix = [u8; PREFIX_BYTES + WORD_BYTES];

/// Size of a word.
pub const WORD_BYTES: usize = 8;

/// A send or a read. Offsets count from its start, or from where [`Self::skip`] last ended.
pub trait Message {
    /// The bytes from `offset` on. Fewer than [`HEAD_BYTES`] only at the message's end or beyond many small buffers;
    /// none where they cannot be read. May overwrite the prefix.
    fn head(&mut self, offset: u32) -> Head;

    /// The result of the last [`Self::head`].
    fn last_head(&mut self) -> Head;

    /// Loads the first bytes in one piece, up to [`PREFIX_BYTES`], and returns their number.
    fn prefix(&mut self) -> Option<u32>;

    /// The word at an offset of the prefix, its first byte the highest. Bytes past the prefix's end are arbitrary.
    fn word_at(&mut self, offset: u32) -> u64;

    /// The word with this index in the prefix. Aligned words are cheaper.
    fn aligned_word(&mut self, number: u32) -> u64 {
        self.word_at(number * WORD_BYTES as u32)
    }

    /// Moves the origin of offsets forward.
    fn skip(&mut self, bytes: u32);

    /// The state of a loop over the prefix.
    fn cursor(&mut self) -> Cursor;

    /// Stores that state.
    fn set_cursor(&mut self, cursor: Cursor);

    /// See [`subprogram::framing`]. The kernel side has this method and the following ones verified separately.
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

    /// Notes the connection's target: a hash, or [`super::TARGET_UNCLEAR`].
    fn note_target(&mut self, _target: u64) {}

    /// Returns the number. The verifier forgets its value here, so it treats the iterations of a loop as equal.
    fn opaque(&mut self, number: u32) -> u32 {
        number
    }

    fn opaque_long(&mut self, number: u64) -> u64 {
        number
    }
}

/// The state of a loop over a message: its position and its findings. It is stored with the message and not in
/// variables, because the verifier tracks variables and would walk each iteration once for each path through the
/// previous one.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Where the loop continues: an offset in the prefix.
    pub at: u32,
    /// Bits with a protocol-specific meaning.
    pub found: u32,
    /// A length or an offset that was found.
    pub number: u64,
    /// How many were found, or are still expected.
    pub count: u32,
    /// The last finding: its offset or its type.
    pub last: u32,
}
