//! Inspection of answers: the first bytes that the application reads.

use super::{
    Application, Conversation, Message, Protocol,
    exactness::Exactness::{self, Exact},
    protocols::{http1, memcached, mysql},
    traits,
};

impl Conversation {
    /// Whether the first bytes of the next read are needed, when this much has been written.
    #[inline(always)]
    #[must_use]
    pub fn awaits_answer(&self, written: u64) -> bool {
        let is_asked = self.turn.has_open_ask(written);
        let is_told_by_it = self.protocol == Protocol::Unknown as u8
            || self.has(traits::UNIDENTIFIED | traits::AWAITS_STATUS)
            || self.application == Application::Http1 as u8
                && written > self.frame_end
                && self.turn.has_unseen(written)
            || self.has(traits::TICKETS_DUE) && self.has(traits::ASKED);
        if self.protocol == Protocol::Tls as u8 && self.may_be_greeted() {
            return !is_asked;
        }
        is_told_by_it && is_asked || self.protocol == Protocol::Unknown as u8 && written == self.frame_end
    }

    /// Inspects a read of `len` bytes that [`Self::awaits_answer`]. Runs before these bytes are counted.
    #[inline(always)]
    pub fn inspect_answer(&mut self, message: &mut impl Message, written: u64, len: u32) -> Exactness {
        // Bytes that had arrived before the ask are no part of the answer.
        let before = self.turn.answer_due_from() - self.turn.consumed();
        if before >= u64::from(len) {
            return Exact;
        }
        let before = message.opaque(before as u32);
        message.skip(before);
        let len = len - before;
        if self.protocol == Protocol::Tls as u8 {
            return self.inspect_tls_answer(message, len);
        }
        if self.application == Application::Http1 as u8 && !self.has(traits::UNIDENTIFIED) {
            self.await_status();
            return self.inspect_status(message, len);
        }
        let head = message.head(0);
        if !self.turn.has_open_ask(written) {
            if head.starts_with(b"220") {
                self.traits |= traits::GREETED;
            }
            return Exact;
        }
        self.traits &= !traits::UNIDENTIFIED;
        if http1::is_answer(head) {
            if self.application != Application::Http1 as u8 {
                self.protocol = Protocol::Plain as u8;
                self.application = Application::Http1 as u8;
                self.frame_end = written;
                // The request's head was not parsed, so what was sent may continue it.
                self.traits |= traits::OPEN_ENDED | traits::AWAITS_STATUS;
            }
            return if self.has(traits::AWAITS_STATUS) { self.inspect_status(message, len) } else { Exact };
        }
        self.forget_http1();
        if self.has(traits::MAY_BE_MEMCACHED) && memcached::is_answer(head) {
            self.application = Application::Memcached as u8;
        } else if self.has(traits::MAY_BE_MYSQL) && mysql::is_answer(head) {
            self.application = Application::Mysql as u8;
            self.traits |= traits::PAST_SETUP | traits::LOGGED_IN;
        }
        Exact
    }

    /// Handles an awaited answer whose bytes cannot be read.
    #[inline(always)]
    pub fn miss_answer(&mut self) -> Exactness {
        if self.has(traits::UNIDENTIFIED) {
            self.traits &= !traits::UNIDENTIFIED;
            self.forget_http1();
        }
        if self.application != Application::Http1 as u8 {
            return Exact;
        }
        self.await_status();
        self.miss_status()
    }

    /// Drops the assumption that the first send was an HTTP/1 request.
    #[inline(always)]
    fn forget_http1(&mut self) {
        if self.application == Application::Http1 as u8 {
            self.application = Application::Unknown as u8;
            self.traits &= !(traits::AWAITS_STATUS | traits::OPEN_ENDED);
        }
    }
}
