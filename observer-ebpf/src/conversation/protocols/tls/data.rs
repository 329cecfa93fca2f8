//! Application data: which records ask something.

use super::{
    handshake::MAY_HAVE_ASKED,
    record::{APPLICATION_DATA, Record, is_record},
};
use crate::conversation::{
    Conversation,
    Exactness::{self, Exact, Inexact},
    Head, Message, Send, traits,
    turn::TLS_HEADER_BYTES,
};

/// How much longer a record's payload is than its content: a tag of 16 bytes, plus the content type in TLS 1.3, or a
/// nonce with TLS 1.2's GCM.
const CHACHA_OVERHEAD_BYTES: u32 = 16;
const TLS13_OVERHEAD_BYTES: u32 = 17;
const GCM_OVERHEAD_BYTES: u32 = 24;

/// Java appends this many zeros to each data record and alert in TLS 1.3. It is recognised by its change cipher spec,
/// which it sends separately.
const PADDING_BYTES: u32 = 16;

/// The shortest request is `GET / HTTP/1.0` with an empty line, 18 bytes. A shorter record that begins a turn is no
/// request. HTTP/2 has such records: the settings acknowledgement that every client must send has 9 bytes, and a window
/// update has 13. WebSocket frames are as short.
const SHORTEST_REQUEST_BYTES: u32 = 18;

/// The shortest answer is the status line `HTTP/1.1 200 ` with its end, and an empty line. An alert is shorter, such as
/// a server's goodbye that crosses a request.
const SHORTEST_ANSWER_BYTES: u32 = 17;
const SETTINGS_ACK_BYTES: u32 = 9;

/// Content lengths in TLS 1.3 of records that are not data but look like it: an alert, and a key update.
const ALERT_BYTES: u32 = 2;
const KEY_UPDATE_BYTES: u32 = 5;

/// `HTTP/1.1 100 Continue` and an empty line.
const CONTINUE_BYTES: u32 = 25;

impl Conversation {
    /// Inspects a send after the handshake, or the rest of a send that completed it, by its first record.
    #[inline(always)]
    pub fn inspect_tls(&mut self, message: &mut impl Message, send: Send) -> Exactness {
        if send.len == 0 {
            return Exact;
        }
        // Unseen bytes may not have been data.
        let is_unclear = send.after_unseen || self.may_have_been_answered();
        self.protocol_traits &= !MAY_HAVE_ASKED;
        let seen = if is_unclear { Inexact } else { Exact };
        seen.and(self.inspect_record(message.last_head(), send))
    }

    #[inline(always)]
    fn inspect_record(&mut self, head: Head, send: Send) -> Exactness {
        if !is_record(head) {
            // The rest of a record, or pages.
            return if head.len == 0 { Inexact } else { Exact };
        }
        let record = Record::of(head);
        let is_tls13 = !self.has(traits::TLS12);
        let is_whole = send.len == TLS_HEADER_BYTES + record.len;
        let bytes = record.len.wrapping_sub(self.overhead_bytes());
        let is_short = bytes == ALERT_BYTES || bytes == KEY_UPDATE_BYTES;
        if record.kind != APPLICATION_DATA || is_tls13 && is_whole && is_short {
            // An alert, or new keys.
            self.turn.exclude(send.at, send.len);
            return Exact;
        }
        if self.turn.has_open_ask(send.at) {
            // The server's settings may have arrived before the client's first request.
            if bytes == SETTINGS_ACK_BYTES && self.has(traits::HTTP2_OFFERED) {
                return self.begin_http2();
            }
            return Exact;
        }
        // If the client pads, the server may pad or not. With padding, this length may also be an answer of 41 bytes.
        let padded_bytes = TLS_HEADER_BYTES + CONTINUE_BYTES + self.overhead_bytes();
        let continue_bytes =
            if is_tls13 && self.has(traits::PADDED) { padded_bytes - PADDING_BYTES } else { padded_bytes };
        let is_continue = self.turn.answer_bytes() == u64::from(continue_bytes);
        if self.has(traits::HTTP1_OFFERED)
            && (is_continue || self.turn.answer_bytes() == u64::from(padded_bytes))
            && !send.has_unread()
        {
            self.turn.exclude(send.at, send.len);
            return if is_continue { Exact } else { Inexact };
        }
        if bytes < SHORTEST_REQUEST_BYTES {
            if self.has(traits::HTTP2_OFFERED) {
                return self.begin_http2();
            }
            return Inexact;
        }
        if self.has(traits::ASKED) && self.turn.answer_bytes() <= u64::from(padded_bytes) {
            // `100 Continue` with another reason phrase, or for a client that did not offer HTTP; or a very short
            // answer.
            return Inexact;
        }
        if self.has(traits::ASKED) && self.answer_is_too_short() {
            return Inexact;
        }
        if !self.has(traits::ASKED) {
            self.traits |= traits::ASKED;
            if send.has_unread() || self.turn.answer_bytes() > 0 {
                // Only tickets can have arrived after the handshake.
                self.traits &= !traits::TICKETS_DUE;
            }
        } else if is_tls13 && self.has(traits::TICKETS_DUE) {
            self.traits &= !traits::TICKETS_DUE;
            // Tickets come before the first answer. If only they were read, or they came with "100 Continue", this is
            // the rest of the first request.
            let last_read = self.turn.last_read_bytes();
            let may_be_continue = last_read == continue_bytes || last_read + TLS_HEADER_BYTES == continue_bytes;
            if self.turn.is_answer_of_equal_records()
                || self.has(traits::MAY_BE_TICKETS) && self.turn.answer_bytes() == u64::from(last_read)
                || may_be_continue && self.has(traits::HTTP1_OFFERED)
            {
                return Inexact;
            }
        }
        Exact
    }

    /// Whether a server that speaks first would do so now. TLS 1.2 marks its own messages by their record type.
    #[inline(always)]
    pub(in crate::conversation) fn may_be_greeted(&self) -> bool {
        self.has(traits::TLS12) && self.has(traits::FINISHED) && !self.has(traits::ASKED | traits::DOUBTFUL)
    }

    /// Inspects a read of `len` bytes before the first request or with its answer.
    #[inline(always)]
    pub(in crate::conversation) fn inspect_tls_answer(&mut self, message: &mut impl Message, len: u32) -> Exactness {
        if self.may_be_greeted() {
            let head = message.head(0);
            if is_record(head) && head.byte(0) == APPLICATION_DATA {
                // A server that speaks first does not speak HTTP.
                self.traits |= traits::DOUBTFUL;
                return Inexact;
            }
            return Exact;
        }
        self.inspect_tickets(message, len);
        Exact
    }

    /// Whether the last answer is too short for HTTP.
    #[inline(always)]
    pub(in crate::conversation) fn answer_is_too_short(&self) -> bool {
        self.turn.answer_bytes() < u64::from(TLS_HEADER_BYTES + self.overhead_bytes() + SHORTEST_ANSWER_BYTES)
    }

    #[inline(always)]
    fn overhead_bytes(&self) -> u32 {
        if self.has(traits::CHACHA) {
            CHACHA_OVERHEAD_BYTES
        } else if self.has(traits::TLS12) {
            GCM_OVERHEAD_BYTES
        } else if self.has(traits::PADDED) {
            TLS13_OVERHEAD_BYTES + PADDING_BYTES
        } else {
            TLS13_OVERHEAD_BYTES
        }
    }
}
