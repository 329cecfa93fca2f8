//! Session tickets of TLS 1.3, which may be read like an answer.

use super::record::{Record, is_record};
use crate::conversation::{Conversation, Message, traits, turn::TLS_HEADER_BYTES};

impl Conversation {
    /// Whether everything read since the first request may be two late tickets.
    #[inline(always)]
    pub(in crate::conversation) fn answer_may_be_tickets(&self) -> bool {
        let is_read_at_once =
            self.has(traits::MAY_BE_TICKETS) && self.turn.answer_bytes() == u64::from(self.turn.last_read_bytes());
        self.has(traits::TICKETS_DUE)
            && !self.has(traits::TLS12)
            && (is_read_at_once || self.turn.is_answer_of_two_records())
    }

    /// Notes whether a read of `len` bytes that begins the first answer may be exactly two tickets, which have equal
    /// lengths. OpenSSL's servers send two.
    #[inline(always)]
    pub(in crate::conversation) fn inspect_tickets(&mut self, message: &mut impl Message, len: u32) {
        let first = message.head(0);
        let record_bytes = Record::of(first).len + TLS_HEADER_BYTES;
        if is_record(first) && record_bytes * 2 == len {
            let record_bytes = message.opaque(record_bytes);
            if message.head(record_bytes).words[0] >> 24 == first.words[0] >> 24 {
                self.traits |= traits::MAY_BE_TICKETS;
            }
        }
    }
}
