//! Status.

use super::http;
use crate::conversation::{
    Application, Conversation,
    Exactness::{self, Exact, Inexact},
    Head, Message, is,
    message::starts_with,
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
        if !self.is(is::AWAITS_STATUS) {
            self.traits |= is::AWAITS_STATUS | is::STATUS_DECIDES;
        }
    }

    /// An answer begins with what was read just now, or goes on with it: `len` bytes. Of one that is only preliminary, the
    /// turn is told.
    #[inline(always)]
    pub(in crate::conversation) fn hear_status(&mut self, message: &mut impl Message, len: u32) -> Exactness {
        let end = self.turn.answer_due_from() + u64::from(len);
        let taken = message.beginning().unwrap_or(0);
        let taken = if taken < len { taken } else { len };
        // Another segment of one read: its buffer begins with what was heard before.
        let is_open = self.is(is::INTERIM_OPEN);
        if is_open && (taken < 8 || starts_with(message.begins(0), b"HTTP/1.")) {
            return self.miss_status();
        }
        let may_be_again = !is_open && self.has(http::INTERIM);
        let mut from = 0;
        for _ in 0..MAX_INTERIM {
            if self.is(is::INTERIM_OPEN) {
                let behind = message.framing(from, taken).end;
                if is_open && behind == 0 || may_be_again && (behind == 0 || behind >= len) {
                    return self.miss_status();
                }
                if behind == 0 {
                    // Its head goes on in the next read.
                    self.turn.postpone(end);
                    return Exact;
                }
                self.traits &= !is::INTERIM_OPEN;
                from = message.opaque(behind);
                if from >= len {
                    self.turn.postpone(end);
                    return Exact;
                }
            }
            let (first, second) = (message.begins(from), message.begins(from + 8));
            if taken.wrapping_sub(from) < STATUS_BYTES || !starts_with(first, b"HTTP/1.") {
                return self.miss_status();
            }
            if starts_with(second, b" 101") {
                self.traits &= !is::AWAITS_STATUS;
                if self.is(is::HTTP2_OFFERED) {
                    return self.begin_http2();
                }
                self.traits |= is::UPGRADED;
                if self.is(is::WEB_SOCKET) {
                    self.application = Application::Websocket as u8;
                }
                return Exact;
            }
            if !starts_with(second, b" 1") {
                self.traits &= !(is::AWAITS_STATUS | is::CONTINUED | is::STATUS_DECIDES);
                return Exact;
            }
            if starts_with(second, b" 100") {
                self.more &= !http::EXPECTS;
                self.traits |= is::CONTINUED;
            }
            self.traits |= is::INTERIM_OPEN;
            self.more |= http::INTERIM;
        }
        self.miss_status()
    }

    /// The status could not be read where it was awaited.
    #[inline(always)]
    pub(in crate::conversation) fn miss_status(&mut self) -> Exactness {
        let decides = self.is(is::STATUS_DECIDES);
        self.traits &= !(is::AWAITS_STATUS | is::INTERIM_OPEN);
        if decides { Inexact } else { Exact }
    }
}
