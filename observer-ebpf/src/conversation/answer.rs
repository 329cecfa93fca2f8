//! Answers.

use super::{
    Application, Conversation, Message, Protocol,
    exactness::Exactness::{self, Exact},
    is,
    protocols::{http1, memcached, mysql},
};

impl Conversation {
    /// Whether the first bytes of what is read next are needed, when so much was written.
    #[inline(always)]
    #[must_use]
    pub fn awaits_answer(&self, written: u64) -> bool {
        let is_asked = self.turn.asked(written);
        let is_told_by_it = self.protocol == Protocol::Unknown as u8
            || self.is(is::UNTOLD | is::AWAITS_STATUS)
            || self.application == Application::Http1 as u8
                && written > self.frame_end
                && self.turn.has_unseen(written)
            || self.is(is::TICKETS_DUE) && self.is(is::ASKED);
        if self.protocol == Protocol::Tls as u8 && self.may_be_greeted() {
            return !is_asked;
        }
        is_told_by_it && is_asked || self.protocol == Protocol::Unknown as u8 && written == self.frame_end
    }

    /// `len` bytes are read that [`Self::awaits_answer`]: what they tell. Comes before they are counted.
    #[inline(always)]
    pub fn hear_answer(&mut self, message: &mut impl Message, written: u64, len: u32) -> Exactness {
        // What had come before it was asked is no part of the answer.
        let before = self.turn.answer_due_from() - self.turn.consumed();
        if before >= u64::from(len) {
            return Exact;
        }
        let before = message.opaque(before as u32);
        message.skip(before);
        let len = len - before;
        if self.protocol == Protocol::Tls as u8 {
            return self.hear_tls_answer(message, len);
        }
        if self.application == Application::Http1 as u8 && !self.is(is::UNTOLD) {
            self.await_status();
            return self.hear_status(message, len);
        }
        let head = message.head(0);
        if !self.turn.asked(written) {
            if head.starts_with(b"220") {
                self.traits |= is::GREETED;
            }
            return Exact;
        }
        self.traits &= !is::UNTOLD;
        if http1::is_answer(head) {
            if self.application != Application::Http1 as u8 {
                self.protocol = Protocol::Plain as u8;
                self.application = Application::Http1 as u8;
                self.frame_end = written;
                // What was sent may go on: its head was not looked at.
                self.traits |= is::OPEN_END | is::AWAITS_STATUS;
            }
            return if self.is(is::AWAITS_STATUS) { self.hear_status(message, len) } else { Exact };
        }
        self.forget_http1();
        if self.is(is::MAY_BE_MEMCACHED) && memcached::is_answer(head) {
            self.application = Application::Memcached as u8;
        } else if self.is(is::MAY_BE_MYSQL) && mysql::is_answer(head) {
            self.application = Application::Mysql as u8;
            self.traits |= is::COMMANDED | is::LOGGED_IN;
        }
        Exact
    }

    /// The same, where what is read cannot be seen.
    #[inline(always)]
    pub fn miss_answer(&mut self) -> Exactness {
        if self.is(is::UNTOLD) {
            self.traits &= !is::UNTOLD;
            self.forget_http1();
        }
        if self.application != Application::Http1 as u8 {
            return Exact;
        }
        self.await_status();
        self.miss_status()
    }

    /// What looked like a request was none.
    #[inline(always)]
    fn forget_http1(&mut self) {
        if self.application == Application::Http1 as u8 {
            self.application = Application::Unknown as u8;
            self.traits &= !(is::AWAITS_STATUS | is::OPEN_END);
        }
    }
}
