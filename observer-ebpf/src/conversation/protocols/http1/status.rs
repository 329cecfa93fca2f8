//! Status.

use super::http;
use crate::conversation::{
    Application, Conversation,
    Exactness::{self, Exact, Inexact},
    Head, Message,
    message::starts_with,
    traits,
};

/// Preliminary answers that may come together. Nobody is known to send more than two.
const MAX_INTERIM: u32 = 3;

/// `HTTP/1.1 100`: as much as tells the status.
const STATUS_BYTES: u32 = 12;

/// Whether an answer begins so.
#[inline(always)]
pub(in crate::conversation) fn is_answer(head: Head) -> bool {
    head.starts_with(b"HTTP/1.")
}

impl Conversation {
    /// What a request is that no hook has seen, its answer's status alone tells.
    #[inline(always)]
    pub(in crate::conversation) fn await_status(&mut self) {
        if !self.has(traits::AWAITS_STATUS) {
            self.traits |= traits::AWAITS_STATUS | traits::STATUS_DECIDES;
        }
    }

    /// An answer begins with what was read just now, or goes on with it: `len` bytes. Of one that is only preliminary, the
    /// turn is told.
    #[inline(always)]
    pub(in crate::conversation) fn inspect_status(&mut self, message: &mut impl Message, len: u32) -> Exactness {
        let end = self.turn.answer_due_from() + u64::from(len);
        let prefix_len = message.prefix().unwrap_or(0);
        let prefix_len = if prefix_len < len { prefix_len } else { len };
        // Another segment of one read: its buffer begins with what was heard before.
        let is_open = self.has(traits::INTERIM_OPEN);
        if is_open && (prefix_len < 8 || starts_with(message.word_at(0), b"HTTP/1.")) {
            return self.miss_status();
        }
        let may_be_again = !is_open && self.has_http(http::INTERIM);
        let mut from = 0;
        for _ in 0..MAX_INTERIM {
            if self.has(traits::INTERIM_OPEN) {
                let behind = message.framing(from, prefix_len).end;
                if is_open && behind == 0 || may_be_again && (behind == 0 || behind >= len) {
                    return self.miss_status();
                }
                if behind == 0 {
                    // Its head goes on in the next read.
                    self.turn.defer_answer(end);
                    return Exact;
                }
                self.traits &= !traits::INTERIM_OPEN;
                from = message.opaque(behind);
                if from >= len {
                    self.turn.defer_answer(end);
                    return Exact;
                }
            }
            let (first, second) = (message.word_at(from), message.word_at(from + 8));
            if prefix_len.wrapping_sub(from) < STATUS_BYTES || !starts_with(first, b"HTTP/1.") {
                return self.miss_status();
            }
            if starts_with(second, b" 101") {
                self.traits &= !traits::AWAITS_STATUS;
                if self.has(traits::HTTP2_OFFERED) {
                    return self.begin_http2();
                }
                self.traits |= traits::UPGRADED;
                if self.has(traits::WEB_SOCKET) {
                    self.application = Application::Websocket as u8;
                }
                return Exact;
            }
            if !starts_with(second, b" 1") {
                self.traits &= !(traits::AWAITS_STATUS | traits::CONTINUED | traits::STATUS_DECIDES);
                return Exact;
            }
            if starts_with(second, b" 100") {
                self.protocol_traits &= !http::EXPECTS;
                self.traits |= traits::CONTINUED;
            }
            self.traits |= traits::INTERIM_OPEN;
            self.protocol_traits |= http::INTERIM;
        }
        self.miss_status()
    }

    /// The status could not be read where it was awaited.
    #[inline(always)]
    pub(in crate::conversation) fn miss_status(&mut self) -> Exactness {
        let decides = self.has(traits::STATUS_DECIDES);
        self.traits &= !(traits::AWAITS_STATUS | traits::INTERIM_OPEN);
        if decides { Inexact } else { Exact }
    }
}
