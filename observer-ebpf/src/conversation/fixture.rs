//! Test support for the protocols: sends built from bytes.

use super::{Cursor, HEAD_BYTES, Head, Message, PREFIX_BYTES, Send, WORD_BYTES};

/// A send in one buffer.
pub(super) struct Sent<'a> {
    bytes: &'a [u8],
    last: Head,
    /// The target noted last.
    pub(super) target: u64,
    cursor: Cursor,
}

impl<'a> Sent<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, last: Head::NONE, target: 0, cursor: Cursor::default() }
    }
}

/// The head of these bytes.
pub(super) fn head_of(bytes: &[u8]) -> Head {
    let len = bytes.len().min(HEAD_BYTES);
    let byte = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let words = core::array::from_fn(|n| u64::from_be_bytes(core::array::from_fn(|i| byte(n * WORD_BYTES + i))));
    Head { words, len: len as u32 }
}

/// The first send of a connection whose server has sent nothing.
pub(super) fn first(bytes: &[u8]) -> Send {
    Send { at: 0, received: 0, consumed: 0, len: bytes.len() as u32, after_unseen: false, greeted: false }
}

/// Calls a protocol's `sets_up` for a send.
pub(super) fn sets_up_with<'a>(sets_up: impl Fn(&mut Sent<'a>, Head, u32) -> bool, bytes: &'a [u8]) -> bool {
    sets_up(&mut Sent::new(bytes), head_of(bytes), bytes.len() as u32)
}

impl Message for Sent<'_> {
    fn head(&mut self, offset: u32) -> Head {
        self.last = head_of(self.bytes.get(offset as usize..).unwrap_or_default());
        self.last
    }

    fn last_head(&mut self) -> Head {
        self.last
    }

    fn prefix(&mut self) -> Option<u32> {
        Some(self.bytes.len().min(PREFIX_BYTES) as u32)
    }

    fn word_at(&mut self, offset: u32) -> u64 {
        let start = offset as usize & (PREFIX_BYTES - 1);
        head_of(self.bytes.get(start..).unwrap_or_default()).words[0]
    }

    fn note_target(&mut self, target: u64) {
        self.target = target;
    }

    fn cursor(&mut self) -> Cursor {
        self.cursor
    }

    fn set_cursor(&mut self, cursor: Cursor) {
        self.cursor = cursor;
    }

    fn skip(&mut self, bytes: u32) {
        self.bytes = self.bytes.get(bytes as usize..).unwrap_or_default();
    }
}
