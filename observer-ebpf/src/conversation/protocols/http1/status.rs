//! The status of an answer, which distinguishes preliminary answers from final ones.

use super::http;
use crate::conversation::{
    Application, Conversation,
    Exactness::{self, Exact, Inexact},
    Head, Message,
    message::starts_with,
    traits,
};

/// Number of preliminary answers that may arrive together. No server is known to send more than two.
const MAX_INTERIM: u32 = 3;

/// The bytes that hold the status, as in `HTTP/1.1 100`.
const STATUS_BYTES: u32 = 12;

/// Whether this begins an answer.
#[inline(always)]
pub(in crate::conversation) fn is_answer(head: Head) -> bool {
    head.starts_with(b"HTTP/1.")
}

impl Conversation {
    /// Requires the next status. If no hook saw the request, only its answer's status identifies it.
    #[inline(always)]
    pub(in crate::conversation) fn await_status(&mut self) {
        if !self.has(traits::AWAITS_STATUS) {
            self.traits |= traits::AWAITS_STATUS | traits::STATUS_DECIDES;
        }
    }

    /// Inspects a read of `len` bytes that begins an answer or continues its head. A preliminary answer does not end
    /// the turn.
    #[inline(always)]
    pub(in crate::conversation) fn inspect_status(&mut self, message: &mut impl Message, len: u32) -> Exactness {
        let end = self.turn.answer_due_from() + u64::from(len);
        let prefix_len = message.prefix().unwrap_or(0);
        let prefix_len = if prefix_len < len { prefix_len } else { len };
        // Another segment of one read, whose buffer still begins with inspected bytes.
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
                    // The head continues in the next read.
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

    /// Handles an awaited status that could not be read.
    #[inline(always)]
    pub(in crate::conversation) fn miss_status(&mut self) -> Exactness {
        let decides = self.has(traits::STATUS_DECIDES);
        self.traits &= !(traits::AWAITS_STATUS | traits::INTERIM_OPEN);
        if decides { Inexact } else { Exact }
    }
}
