//! TLS: the client's records, from its hello to its data. RFC 8446 (1.3), RFC 5246 (1.2), RFC 7301 (ALPN).
//!
//! Only heads of records are read, which are in the clear, and the hello's extensions, to see whether HTTP was offered.
//! What is asked by the data itself, its size has to tell, and only where HTTP was offered.

use super::{
    Application, Conversation, Exact, Exactness, Head, Inexact, Message, Protocol, Send, TARGET_UNCLEAR, Walk, is,
    message::{byte, u16_of},
    target::{self, NAMELESS},
};
use crate::turn::TLS_HEADER_BYTES;

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// Records of one send that are looked at: a client certificate makes five.
const MAX_RECORDS: u32 = 6;

/// Lengths of TLS 1.3's encrypted Finished: message header 4, hash 32 or 48, type 1, tag 16. No other message of the
/// client has one of them: a certificate with its verification is longer, the end of early data shorter.
const FINISHED_BYTES: [u32; 2] = [53, 69];

/// Bits of [`Conversation::more`], in TLS 1.3. The send at hand has the client's certificate; and one before it had. BoringSSL,
/// NSS and rustls put Finished into the same record, others send each by itself.
const FLIGHT: u8 = 1;
const FLIGHT_SENT: u8 = 1 << 1;

/// Finished came in a send behind that, or it was a request of the same size.
const MAY_HAVE_ASKED: u8 = 1 << 2;

/// A hello is longer than this, TLS 1.2's encrypted Finished shorter.
const MAX_FINISHED12_BYTES: u32 = 100;

/// That Finished with ChaCha20; with GCM it is longer by the 8 bytes that each record has more.
const CHACHA_FINISHED_BYTES: u32 = 32;

/// By how much a record (without its header) is longer than what is in it: a tag of 16 bytes, and in TLS 1.3 the type, or
/// with TLS 1.2's GCM a nonce.
const CHACHA_OVERHEAD_BYTES: u32 = 16;
const TLS13_OVERHEAD_BYTES: u32 = 17;
const GCM_OVERHEAD_BYTES: u32 = 24;

/// Java adds as many zeros to each record of data and each alert in TLS 1.3. It is known by its change cipher spec, for which
/// it makes a send of its own.
const PADDING_BYTES: u32 = 16;
const CHANGE_CIPHER_SPEC_BYTES: u32 = 6;

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

/// Extensions of a hello that are looked at, and names in its list of protocols. Chrome sends 18, and 2.
const MAX_EXTENSIONS: u32 = 24;
const MAX_NAMES: u32 = 6;
const SERVER_NAME: u32 = 0;
const ALPN: u32 = 16;
const PSK_KEY_EXCHANGE_MODES: u32 = 45;

/// The head of a record.
#[derive(Clone, Copy)]
struct Record {
    kind: u8,
    /// Without the header.
    len: u32,
    /// In the clear, the type of a handshake message.
    message: u8,
}

/// Whether a record begins here.
#[inline(always)]
pub(super) fn is_record(head: Head) -> bool {
    matches!(head.byte(0), CHANGE_CIPHER_SPEC..=APPLICATION_DATA) && head.byte(1) == 3 && head.len >= TLS_HEADER_BYTES
}

/// Whether a hello begins here, by which TLS begins.
#[inline(always)]
pub(super) fn is_hello(head: Head) -> bool {
    is_record(head) && head.byte(0) == HANDSHAKE && head.byte(2) != 0 && Record::of(head).is_hello()
}

impl Record {
    #[inline(always)]
    fn of(head: Head) -> Self {
        Self { kind: head.byte(0), len: head.u16_at(3), message: head.byte(5) }
    }

    /// Whether it is a hello, and not an encrypted Finished whose first byte looks so.
    #[inline(always)]
    fn is_hello(self) -> bool {
        self.message == 1 && self.len > MAX_FINISHED12_BYTES
    }
}

impl Conversation {
    #[inline(always)]
    pub(super) fn begin_tls(&mut self, message: &mut impl Message, head: Head, send: Send) {
        self.protocol = Protocol::Tls as u8;
        self.application = Application::Unknown as u8;
        self.frame_end = send.at;
        self.more = 0;
        self.turn.await_answer();
        if head.byte(0) == APPLICATION_DATA && !send.is_first() {
            // First seen in mid-life: whom it is for was said before.
            self.traits |= is::FINISHED;
            message.note_target(TARGET_UNCLEAR);
        }
    }

    /// A send before the handshake is over; `send` becomes what is behind it.
    #[inline(always)]
    pub fn hear_handshake(&mut self, message: &mut impl Message, send: &mut Send) -> Exactness {
        // What was not seen may have been no data.
        let seen = if send.after_unseen { Inexact } else { Exact };
        if is_hello(message.last_head()) && !self.is(is::HELLO_SEEN) {
            self.hear_hello(message);
        }
        let exactness = seen.and(self.walk(message, send));
        if self.is(is::FINISHED) {
            self.turn.await_answer();
            if self.is(is::HTTP2_OFFERED) && !self.is(is::HTTP) {
                // Nothing else was offered (gRPC).
                send.len = 0;
                return self.begin_http2();
            }
        }
        exactness
    }

    /// Goes through the handshake record by record, wherever sends begin and end. `data` becomes what is behind it, the last
    /// head the beginning of that.
    #[inline(always)]
    fn walk(&mut self, message: &mut impl Message, data: &mut Send) -> Exactness {
        let send = *data;
        let mut is_inexact = 0;
        let mut asks = 0;
        // Less if records were written that no hook saw.
        let mut offset = self.frame_end.saturating_sub(send.at) as u32;
        for _ in 0..MAX_RECORDS {
            if offset >= send.len {
                break;
            }
            let head = message.head(offset);
            if self.is(is::FINISHED) {
                break;
            }
            if !is_record(head) {
                // Not what it seemed to be.
                self.traits |= is::FINISHED;
                is_inexact = 1;
                break;
            }
            let record = Record::of(head);
            if record.kind == APPLICATION_DATA && self.is(is::TLS12) {
                // Its Finished was not seen. This is data.
                self.traits |= is::FINISHED;
                break;
            }
            if self.has_sent_flight() && record.kind == APPLICATION_DATA {
                // Finished by itself, or data behind one that was in the same record as the certificate. If the server has
                // said something in between, it is data.
                let has_read = self.turn.answer_bytes() > 0;
                self.traits |= is::FINISHED;
                if has_read || !FINISHED_BYTES.contains(&record.len) {
                    is_inexact |= u32::from(!has_read);
                    break;
                }
                self.more |= MAY_HAVE_ASKED;
            } else if record.kind == APPLICATION_DATA && self.turn.answer_bytes() == 0 {
                // Early data (0-RTT): if the server refuses it, it is sent again.
                self.turn.excuse(send.at, offset);
                asks = 1;
                is_inexact = 1;
            } else {
                self.hear_handshake_record(record, send.len);
            }
            offset = message.opaque(offset.wrapping_add(TLS_HEADER_BYTES + record.len));
            is_inexact = message.opaque(is_inexact);
            asks = message.opaque(asks);
        }
        self.frame_end = send.at + u64::from(offset);
        if self.more & FLIGHT != 0 {
            self.more = FLIGHT_SENT;
            // What is read from here on comes behind it.
            self.turn.await_answer();
        }
        if offset < send.len {
            data.skip(offset);
            if !self.is(is::FINISHED) {
                // More records than any handshake has.
                self.traits |= is::FINISHED;
                data.len = 0;
                is_inexact = 1;
            }
        } else {
            offset = send.len;
            data.len = 0;
        }
        if asks == 0 {
            self.turn.excuse(send.at, offset);
        }
        if is_inexact == 0 { Exact } else { Inexact }
    }

    /// A record of the handshake, in a send of `len` bytes: how far it has come by that.
    #[inline(always)]
    fn hear_handshake_record(&mut self, record: Record, len: u32) {
        match record.kind {
            CHANGE_CIPHER_SPEC => {
                let is_alone = len == CHANGE_CIPHER_SPEC_BYTES;
                self.traits |= is::CIPHER_CHANGED | if is_alone { is::PADDED } else { 0 };
            }
            // After a retry, before which Go sends its change cipher spec alone, too.
            HANDSHAKE if record.is_hello() => self.traits &= !is::PADDED,
            // Behind the change of the cipher it is TLS 1.2's Finished.
            HANDSHAKE if self.is(is::CIPHER_CHANGED) => {
                let is_chacha = record.len == CHACHA_FINISHED_BYTES;
                self.traits |= is::TLS12 | is::FINISHED | if is_chacha { is::CHACHA } else { 0 };
            }
            HANDSHAKE => self.traits |= is::TLS12,
            APPLICATION_DATA if FINISHED_BYTES.contains(&record.len) => self.traits |= is::FINISHED,
            // TLS 1.3: the client's certificate, by itself or with all that follows it.
            // Java sends each message by itself.
            APPLICATION_DATA if record.len > FINISHED_BYTES[0] && !self.is(is::PADDED) => self.more |= FLIGHT,
            // An alert.
            _ => {}
        }
    }

    /// TLS 1.3: whether a send with the client's certificate went out before.
    #[inline(always)]
    fn has_sent_flight(&self) -> bool {
        self.more & FLIGHT_SENT != 0
    }

    /// Whether what was taken for Finished may have been a request, and what was read since its answer. (If data was sent before
    /// anything was read, it was Finished.)
    #[inline(always)]
    fn may_have_been_answered(&self) -> bool {
        self.more & MAY_HAVE_ASKED != 0 && self.turn.answer_bytes() > 0
    }

    /// Whether something may have been asked that was taken for a part of the handshake.
    #[inline(always)]
    pub(super) fn may_have_asked(&self) -> bool {
        self.has_sent_flight() && !self.is(is::FINISHED) || self.may_have_been_answered()
    }

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
    pub(super) fn may_be_greeted(&self) -> bool {
        self.is(is::TLS12) && self.is(is::FINISHED) && !self.is(is::ASKED | is::DOUBTED)
    }

    /// A read of `len` bytes, before the first request or with its answer.
    #[inline(always)]
    pub(super) fn hear_tls_answer(&mut self, message: &mut impl Message, len: u32) -> Exactness {
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

    /// Whether all that came to the first request may be two late tickets.
    #[inline(always)]
    pub(super) fn answer_may_be_tickets(&self) -> bool {
        let is_read_at_once =
            self.is(is::MAY_BE_TICKETS) && self.turn.answer_bytes() == u64::from(self.turn.last_read_bytes());
        self.is(is::TICKETS_DUE) && !self.is(is::TLS12) && (is_read_at_once || self.turn.is_answer_of_two_records())
    }

    /// The first answer begins with a read of `len` bytes: whether that may be two tickets, which are of one length, and
    /// nothing more. (OpenSSL's servers send two.)
    #[inline(always)]
    pub(super) fn hear_tickets(&mut self, message: &mut impl Message, len: u32) {
        let first = message.head(0);
        let record_bytes = Record::of(first).len + TLS_HEADER_BYTES;
        if is_record(first) && record_bytes * 2 == len {
            let record_bytes = message.opaque(record_bytes);
            if message.head(record_bytes).words[0] >> 24 == first.words[0] >> 24 {
                self.traits |= is::MAY_BE_TICKETS;
            }
        }
    }

    /// Whether what answered the last request is too short for an answer of HTTP.
    #[inline(always)]
    pub(super) fn answer_is_too_short(&self) -> bool {
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

    /// Looks for whom the hello that begins the message is for, and for what it offers to speak.
    #[inline(always)]
    fn hear_hello(&mut self, message: &mut impl Message) {
        if !self.is(is::TUNNEL | is::SOCKS) {
            // Unless its end is found. Through a tunnel it is for whom the proxy was asked.
            message.note_target(TARGET_UNCLEAR);
        }
        let Some(len) = message.beginning() else { return };
        // Message header 4, version 2, random 32; then a session's id, the ciphers and the compressions.
        let mut at = TLS_HEADER_BYTES + 38;
        at += 1 + u32::from(byte(message.begins(at), 0));
        at += 2 + u16_of(message.begins(at), 0);
        at += 1 + u32::from(byte(message.begins(at), 0));
        let extensions = u16_of(message.begins(at), 0);
        at = message.opaque(at + 2);
        let end = message.opaque(at.wrapping_add(extensions));
        // The name comes early, and is known though the hello may be longer than what was taken.
        let reach = if end > len { len } else { end };
        message.set_walk(Walk { at, ..Walk::default() });
        for _ in 0..MAX_EXTENSIONS {
            if !message.tls_extension(reach) {
                break;
            }
        }
        let Walk { at, found, last: names, number: server, .. } = message.walk();
        let is_whole = at == end && end <= len;
        if !self.is(is::TUNNEL | is::SOCKS) && (is_whole || server != 0) {
            let target = server_name(message, server as u32, reach);
            message.note_target(target);
        }
        if !is_whole {
            return;
        }
        self.traits |= found | is::HELLO_SEEN;
        if names == 0 {
            return;
        }
        // Behind the extension's header the length of the list, and then the names, each behind its own.
        let list = u16_of(message.begins(names.wrapping_add(2)), 0);
        let end = message.opaque(names.wrapping_add(4 + list));
        message.set_walk(Walk { at: names.wrapping_add(6), ..Walk::default() });
        for _ in 0..MAX_NAMES {
            if !message.tls_name(end) {
                break;
            }
        }
        self.traits |= message.walk().found;
    }
}

/// Whom a hello is for, by its extension of the server's name, of which as much was taken as is before `reach`; 0: it has none.
#[inline(always)]
fn server_name(message: &mut impl Message, extension: u32, reach: u32) -> u64 {
    if extension == 0 {
        return NAMELESS;
    }
    // Header of the extension 4, length of the list 2, type of the name 1, length of the name 2.
    let len = u16_of(message.begins(extension.wrapping_add(7)), 0);
    if extension.wrapping_add(9 + len) > reach {
        return TARGET_UNCLEAR;
    }
    target::hash(message, extension.wrapping_add(9), len)
}

/// Goes through the next extension of a hello, of those that end at an offset of what was taken: whether another may follow.
/// What it tells of the connection becomes of the walk's bits; where the names of protocols are, its last; where the server's
/// name is, its number.
#[inline(always)]
pub fn next_extension(message: &mut impl Message, end: u32) -> bool {
    let mut walk = message.walk();
    if walk.at >= end {
        return false;
    }
    let extension = message.begins(walk.at);
    let kind = u16_of(extension, 0);
    if kind == ALPN {
        walk.last = walk.at;
    }
    if kind == SERVER_NAME {
        walk.number = walk.at.into();
    }
    if kind == PSK_KEY_EXCHANGE_MODES {
        // Without it no ticket comes (RFC 8446 section 4.2.9).
        walk.found |= is::TICKETS_DUE;
    }
    walk.at = walk.at.wrapping_add(4 + u16_of(extension, 2));
    message.set_walk(walk);
    true
}

/// The same of the next name of a protocol that is offered.
#[inline(always)]
pub fn next_name(message: &mut impl Message, end: u32) -> bool {
    let mut walk = message.walk();
    if walk.at >= end {
        return false;
    }
    let name = message.begins(walk.at);
    // Each behind its length. The eighth letter is the minor version.
    // HTTP/2, or a draft of it (`h2-14`).
    let is_draft = name >> 32 & 0x00ff_ffff == u64::from_be_bytes(*b"\0\0\0\0\0h2-");
    walk.found |= if is_draft || name >> 40 == u64::from_be_bytes(*b"\0\0\0\0\0\x02h2") {
        is::HTTP2_OFFERED
    } else if name == u64::from_be_bytes(*b"\x08http/1.") {
        is::HTTP
    } else {
        is::OTHER_OFFERED
    };
    walk.at = walk.at.wrapping_add(1 + u32::from(byte(name, 0)));
    message.set_walk(walk);
    true
}
