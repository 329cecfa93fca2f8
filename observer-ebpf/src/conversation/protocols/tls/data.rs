//! Data.

use super::{
    handshake::MAY_HAVE_ASKED,
    record::{APPLICATION_DATA, Record, is_record},
};
use crate::conversation::{
    Conversation,
    Exactness::{self, Exact, Inexact},
    Head, Message, Send, is,
    turn::TLS_HEADER_BYTES,
};

/// By how much a record (without its header) is longer than what is in it: a tag of 16 bytes, and in TLS 1.3 the type, or
/// with TLS 1.2's GCM a nonce.
const CHACHA_OVERHEAD_BYTES: u32 = 16;
const TLS13_OVERHEAD_BYTES: u32 = 17;
const GCM_OVERHEAD_BYTES: u32 = 24;

/// Java adds as many zeros to each record of data and each alert in TLS 1.3. It is known by its change cipher spec, for which
/// it makes a send of its own.
const PADDING_BYTES: u32 = 16;

/// The shortest request is `GET / HTTP/1.0` and an empty line, 18 bytes: what is shorter and begins a turn is none.
/// HTTP/2 has such: its acknowledgement of the settings, which every client has to send, has 9 bytes, and the update of a
/// window has 13. So have a WebSocket's frames.
const SHORTEST_REQUEST_BYTES: u32 = 18;

/// The shortest answer is a line that says the status, `HTTP/1.1 200 ` with its end, and an empty line. An alert, as the
/// goodbye of a server that a request has crossed, is shorter.
const SHORTEST_ANSWER_BYTES: u32 = 17;
const SETTINGS_ACK_BYTES: u32 = 9;

/// What is no data in TLS 1.3, though it looks so: an alert, such as its goodbye, and an update of the keys.
const ALERT_BYTES: u32 = 2;
const KEY_UPDATE_BYTES: u32 = 5;

/// `HTTP/1.1 100 Continue` and an empty line.
const CONTINUE_BYTES: u32 = 25;

impl Conversation {
    /// A send behind the handshake, or what is left of one behind it: the record that it begins with tells.
    #[inline(always)]
    pub fn hear_tls(&mut self, message: &mut impl Message, send: Send) -> Exactness {
        if send.len == 0 {
            return Exact;
        }
        // What was not seen may have been no data.
        let is_unclear = send.after_unseen || self.may_have_been_answered();
        self.more &= !MAY_HAVE_ASKED;
        let seen = if is_unclear { Inexact } else { Exact };
        seen.and(self.hear_record(message.last_head(), send))
    }

    #[inline(always)]
    fn hear_record(&mut self, head: Head, send: Send) -> Exactness {
        if !is_record(head) {
            // The rest of a record; or pages.
            return if head.len == 0 { Inexact } else { Exact };
        }
        let record = Record::of(head);
        let is_tls13 = !self.is(is::TLS12);
        let is_whole = send.len == TLS_HEADER_BYTES + record.len;
        let bytes = record.len.wrapping_sub(self.overhead_bytes());
        let is_short = bytes == ALERT_BYTES || bytes == KEY_UPDATE_BYTES;
        if record.kind != APPLICATION_DATA || is_tls13 && is_whole && is_short {
            // An alert, or new keys.
            self.turn.excuse(send.at, send.len);
            return Exact;
        }
        if self.turn.asked(send.at) {
            // The server's settings may have come before the client's first request.
            if bytes == SETTINGS_ACK_BYTES && self.is(is::HTTP2_OFFERED) {
                return self.begin_http2();
            }
            return Exact;
        }
        // Of a client that pads, the server may pad or not; with the padding it may be an answer of 41 bytes, too.
        let padded_bytes = TLS_HEADER_BYTES + CONTINUE_BYTES + self.overhead_bytes();
        let continue_bytes = if is_tls13 && self.is(is::PADDED) { padded_bytes - PADDING_BYTES } else { padded_bytes };
        let is_continue = self.turn.answer_bytes() == u64::from(continue_bytes);
        if self.is(is::HTTP)
            && (is_continue || self.turn.answer_bytes() == u64::from(padded_bytes))
            && !send.has_unread()
        {
            self.turn.excuse(send.at, send.len);
            return if is_continue { Exact } else { Inexact };
        }
        if bytes < SHORTEST_REQUEST_BYTES {
            if self.is(is::HTTP2_OFFERED) {
                return self.begin_http2();
            }
            return Inexact;
        }
        if self.is(is::ASKED) && self.turn.answer_bytes() <= u64::from(padded_bytes) {
            // `100 Continue` with another text, or of a client that did not offer HTTP; or a very short answer.
            return Inexact;
        }
        if self.is(is::ASKED) && self.answer_is_too_short() {
            return Inexact;
        }
        if !self.is(is::ASKED) {
            self.traits |= is::ASKED;
            if send.has_unread() || self.turn.answer_bytes() > 0 {
                // What else can have come behind the handshake?
                self.traits &= !is::TICKETS_DUE;
            }
        } else if is_tls13 && self.is(is::TICKETS_DUE) {
            self.traits &= !is::TICKETS_DUE;
            // They come before the first answer. If they were all that was read, or came with "100 Continue", this is the
            // rest of the first request.
            let last_read = self.turn.last_read_bytes();
            let may_be_continue = last_read == continue_bytes || last_read + TLS_HEADER_BYTES == continue_bytes;
            if self.turn.is_answer_of_equal_records()
                || self.is(is::MAY_BE_TICKETS) && self.turn.answer_bytes() == u64::from(last_read)
                || may_be_continue && self.is(is::HTTP)
            {
                return Inexact;
            }
        }
        Exact
    }

    /// Whether the server, if it speaks first, would do so now. TLS 1.2 tells its own messages from others by their type.
    #[inline(always)]
    pub(in crate::conversation) fn may_be_greeted(&self) -> bool {
        self.is(is::TLS12) && self.is(is::FINISHED) && !self.is(is::ASKED | is::DOUBTED)
    }

    /// A read of `len` bytes, before the first request or with its answer.
    #[inline(always)]
    pub(in crate::conversation) fn hear_tls_answer(&mut self, message: &mut impl Message, len: u32) -> Exactness {
        if self.may_be_greeted() {
            let head = message.head(0);
            if is_record(head) && head.byte(0) == APPLICATION_DATA {
                // It is no HTTP then.
                self.traits |= is::DOUBTED;
                return Inexact;
            }
            return Exact;
        }
        self.hear_tickets(message, len);
        Exact
    }

    /// Whether what answered the last request is too short for an answer of HTTP.
    #[inline(always)]
    pub(in crate::conversation) fn answer_is_too_short(&self) -> bool {
        self.turn.answer_bytes() < u64::from(TLS_HEADER_BYTES + self.overhead_bytes() + SHORTEST_ANSWER_BYTES)
    }

    #[inline(always)]
    fn overhead_bytes(&self) -> u32 {
        if self.is(is::CHACHA) {
            CHACHA_OVERHEAD_BYTES
        } else if self.is(is::TLS12) {
            GCM_OVERHEAD_BYTES
        } else if self.is(is::PADDED) {
            TLS13_OVERHEAD_BYTES + PADDING_BYTES
        } else {
            TLS13_OVERHEAD_BYTES
        }
    }
}
