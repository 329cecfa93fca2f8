//! HTTP/1 in the clear. RFC 9110 section 9, RFC 9112.
//!
//! A request begins with a method, and its head says where it ends: by `Content-Length`, or with its head. So what is
//! sent before that end asks nothing, whatever it looks like, and what is behind it in the same send was pipelined.
//! Where the end is not known (a body in chunks, a head in pieces), what looks like the line of a request begins one.
//!
//! Of answers the status is read, and only if it may be a preliminary one: `100 Continue` is no answer yet, and after
//! `101 Switching Protocols` no more requests come.

use super::{
    Application, Conversation, Exactness, Head, Message, Send, Walk, is,
    message::{
        BEGINNING_BYTES, HEAD_BYTES, HIGH_BITS, WORD_BYTES, bytes_equal, bytes_within, digits, first_set, starts_with,
        starts_with_any_case,
    },
};
use Exactness::{Exact, Inexact};

/// Lines of a head that are looked at. Browsers send some 20, and proxies add some.
const MAX_LINES: u32 = 64;

/// Words of what is taken of a message, and those of them in which most lines end.
const MAX_WORDS: u32 = (BEGINNING_BYTES / WORD_BYTES) as u32;
const NEAR_WORDS: u32 = 16;

/// Bit of an offset: the line does not end before it.
const GOES_ON: u32 = 1 << 31;

/// Preliminary answers that may come together. Nobody is known to send more than two.
const MAX_INTERIM: u32 = 3;

/// `HTTP/1.1 100`: as much as tells the status.
const STATUS_BYTES: u32 = 12;

/// The end of a body in chunks without trailers: the last chunk, which is empty.
const LAST_CHUNK: &[u8; 5] = b"0\r\n\r\n";

/// The line that it begins with.
const LAST_SIZE: &[u8; 3] = b"0\r\n";

/// The same behind the data of another chunk.
const BEHIND_DATA: &[u8; 5] = b"\r\n0\r\n";

/// Whether this begins a request, by a method that is common enough and what follows it: so sure that a connection
/// can be called HTTP by it.
#[inline(always)]
pub(super) fn is_request(head: Head) -> bool {
    let target = if head.starts_with(b"GET ") || head.starts_with(b"PUT ") {
        head.byte(4)
    } else if head.starts_with(b"POST ")
        || head.starts_with(b"HEAD ")
        || head.starts_with(b"COPY ")
        || head.starts_with(b"MOVE ")
        || head.starts_with(b"LOCK ")
    {
        head.byte(5)
    } else if head.starts_with(b"PATCH ") || head.starts_with(b"TRACE ") || head.starts_with(b"MKCOL ") {
        head.byte(6)
    } else if head.starts_with(b"DELETE ") || head.starts_with(b"REPORT ") || head.starts_with(b"SEARCH ") {
        head.byte(7)
    } else if head.starts_with(b"OPTIONS ") {
        head.byte(8)
    } else if head.starts_with(b"PROPFIND") {
        head.byte(9)
    } else if head.starts_with(b"PROPPATC") {
        head.byte(10)
    } else {
        return false;
    };
    // A path, an absolute URI, or `*`; 0 where the buffer ends.
    matches!(target, b'/' | b'h' | b'H' | b'*' | 0)
}

/// What the first bytes say of whether they are the first line of a request.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestLine {
    Request,
    /// Too few of them to say: a method and nothing more, as who writes it in pieces sends it.
    Unclear,
    Other,
}

/// Whether the line of a request begins here, with any method (`PURGE`, `M-SEARCH`): the method, a space, and a target
/// that may be one, behind which no other word than the version comes.
#[inline(always)]
pub fn request_line(message: &mut impl Message) -> RequestLine {
    let head = message.last_head();
    // An empty line before it is to be ignored (RFC 9112 section 2.2).
    let skipped = message.opaque(if head.starts_with(b"\r\n") { 2 } else { 0 });
    let space = message.opaque(first(head, skipped, |word| !method_bytes(word)));
    let behind = message.opaque(first(head, space + 1, |word| bytes_equal(word, b' ')));
    if space == skipped || space < head.len && byte_at(head, space) != b' ' {
        return RequestLine::Other;
    }
    if space >= head.len {
        return RequestLine::Unclear;
    }
    let target = message.opaque(u32::from(byte_at(head, space + 1))) as u8;
    let is_target = match target {
        // Where the piece ends.
        0 => space + 1 >= head.len,
        b'/' | b'h' | b'H' => true,
        b'*' => behind == space + 2 || space + 2 >= head.len,
        _ => false,
    };
    let has_version = behind + 1 >= head.len || byte_at(head, behind + 1) == b'H';
    if is_target && has_version { RequestLine::Request } else { RequestLine::Other }
}

/// The same, of a connection that is not known to be HTTP yet.
#[inline(always)]
pub(super) fn may_be_request(message: &mut impl Message) -> bool {
    message.request_line() == RequestLine::Request
}

/// The high bits of the bytes that a method has: capitals, and a dash now and then.
#[inline(always)]
fn method_bytes(word: u64) -> u64 {
    bytes_within(word, b'A', b'Z') | bytes_equal(word, b'-')
}

/// The index of the first byte from `from` on for which the high bit of `bits` is set; 32 if there is none.
#[inline(always)]
fn first(head: Head, from: u32, bits: impl Fn(u64) -> u64) -> u32 {
    let mut index = 0;
    while index < head.words.len() as u32 {
        let begin = index * 8;
        let mut found = bits(head.words[index as usize]) & 0x8080_8080_8080_8080;
        if from > begin {
            let behind = from - begin;
            found = if behind >= 8 { 0 } else { found & (u64::MAX >> (8 * behind)) };
        }
        if found != 0 {
            return begin + first_set(found);
        }
        index += 1;
    }
    32
}

/// A byte of the head by an index that is not known before; 0 behind its end.
#[inline(always)]
fn byte_at(head: Head, index: u32) -> u8 {
    let word = match index / 8 {
        0 => head.words[0],
        1 => head.words[1],
        2 => head.words[2],
        3 => head.words[3],
        _ => 0,
    };
    (word >> (56 - 8 * (index % 8))) as u8
}

/// HTTP/2's connection preface, `PRI * HTTP/2.0` (RFC 9113 section 3.4).
#[inline(always)]
pub(super) fn is_preface(head: Head) -> bool {
    head.starts_with(b"PRI * HT")
}

/// Whether it asks a proxy for a tunnel: by a host's name or address, which NATS's `CONNECT {` is not.
#[inline(always)]
pub(super) fn is_connect(head: Head) -> bool {
    head.starts_with(b"CONNECT ") && !matches!(head.byte(8), b'{' | b' ' | b'\r' | b'\n')
}

/// Whether an answer begins so.
#[inline(always)]
pub(super) fn is_answer(head: Head) -> bool {
    head.starts_with(b"HTTP/1.")
}

/// What a head says of what comes behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// `Content-Length`.
    pub body: u64,
    /// Offset of the first byte behind the head; 0 if its end was not found.
    pub end: u32,
    /// Bits of [`says`].
    pub says: u32,
}

/// Bits of [`Framing::says`].
mod says {
    pub(super) const LENGTH: u32 = 1;
    /// `Transfer-Encoding`: the body says itself where it ends.
    pub(super) const CHUNKED: u32 = 1 << 1;
    pub(super) const EXPECT: u32 = 1 << 2;
    pub(super) const UPGRADE: u32 = 1 << 3;
    pub(super) const WEB_SOCKET: u32 = 1 << 4;
    pub(super) const HTTP2: u32 = 1 << 5;
}

/// Bits of [`Conversation::more`].
mod http {
    /// A preliminary answer has come to the request.
    pub(super) const INTERIM: u8 = 1;
    /// Its body is sent in chunks, of which the last was not seen.
    pub(super) const CHUNKS_OPEN: u8 = 1 << 1;
    /// It has `Expect`, and neither `100 Continue` nor its body was seen.
    pub(super) const EXPECTS: u8 = 1 << 2;
}

/// What begins with a send: a request, or nothing.
#[derive(Clone, Copy)]
enum Heard {
    Request(Exactness),
    Nothing(Exactness),
}

impl Heard {
    #[inline(always)]
    fn exactness(self) -> Exactness {
        match self {
            Self::Request(exactness) | Self::Nothing(exactness) => exactness,
        }
    }
}

/// Whether a body in chunks ends with this send, of `len` bytes; also where that cannot be seen.
#[inline(always)]
fn may_end_chunks(message: &mut impl Message, head: Head, len: u32) -> bool {
    if head.starts_with(LAST_SIZE) {
        // Java's HttpURLConnection sends the empty line behind it by itself; trailers may come before that.
        return true;
    }
    if len < LAST_CHUNK.len() as u32 {
        return false;
    }
    let tail = message.head(len - LAST_CHUNK.len() as u32);
    // Java's HttpClient has its last line in a buffer of its own.
    tail.len == 0
        || tail.starts_with(LAST_CHUNK)
        || tail.starts_with(BEHIND_DATA)
        || tail.len == LAST_SIZE.len() as u32 && tail.starts_with(LAST_SIZE)
}

/// Goes through a head line by line, from an offset of what was taken of a message, which is `len` bytes.
#[inline(always)]
pub fn framing(message: &mut impl Message, from: u32, len: u32) -> Framing {
    message.set_walk(Walk::default());
    let mut at = from;
    for _ in 0..MAX_LINES {
        at = message.next_line(at, len);
        if at == 0 {
            break;
        }
    }
    let Walk { number: body, at: end, found: says, .. } = message.walk();
    Framing { body, end, says }
}

/// Goes through the line of a head that begins at an offset of what was taken of a message, which is `len` bytes: where the
/// next one begins; 0 if it is the last one, behind which the walk is then, or goes on.
#[inline(always)]
pub fn next_line(message: &mut impl Message, at: u32, len: u32) -> u32 {
    let mut feed = near_line_feed(message, at, len);
    if feed & GOES_ON != 0 {
        feed = message.line_feed(feed & !GOES_ON, len);
    }
    if feed >= len {
        return 0;
    }
    if feed <= at + 1 {
        // An empty line, with or without a carriage return.
        let walk = message.walk();
        message.set_walk(Walk { at: feed + 1, ..walk });
        return 0;
    }
    if may_say_something(message.begins(at)) {
        message.read_line(at);
    }
    feed + 1
}

/// Whether a line that begins so has to be looked at: most do not.
#[inline(always)]
fn may_say_something(name: u64) -> bool {
    starts_with_any_case(name, b"cont")
        || starts_with_any_case(name, b"tran")
        || starts_with_any_case(name, b"expe")
        || starts_with_any_case(name, b"upgr")
}

/// Where the line ends that begins at an offset of what was taken of a message, which is `len` bytes; at `len` if it goes
/// on.
#[inline(always)]
pub fn line_feed(message: &mut impl Message, from: u32, len: u32) -> u32 {
    let mut at = from;
    for _ in 0..MAX_WORDS / NEAR_WORDS {
        let feed = message.near_line_feed(at, len);
        if feed & GOES_ON == 0 {
            return feed;
        }
        at = feed & !GOES_ON;
    }
    len
}

/// The same within a few words: if it ends in none of them, where they end, with [`GOES_ON`].
#[inline(always)]
pub fn near_line_feed(message: &mut impl Message, from: u32, len: u32) -> u32 {
    let (mut at, mut feeds) = (from, 0);
    for _ in 0..NEAR_WORDS {
        if at >= len {
            return len;
        }
        let begin = at & !7;
        feeds = bytes_equal(message.word(at / 8), b'\n') & (u64::MAX >> (8 * (at - begin)));
        at = begin;
        if feeds != 0 {
            break;
        }
        at += 8;
    }
    if feeds == 0 { at | GOES_ON } else { at + first_set(feeds) }
}

/// Notes what the line says that begins at an offset of what was taken of a message.
#[inline(always)]
pub fn read_line(message: &mut impl Message, at: u32) {
    let name = message.begins(at);
    if starts_with_any_case(name, b"content-") && starts_with_any_case(message.begins(at + 8), b"length:") {
        let number = number(message, at + 15);
        let walk = message.walk();
        message.set_walk(Walk { number, found: walk.found | says::LENGTH, ..walk });
        return;
    }
    let says = if starts_with_any_case(name, b"transfer") && starts_with_any_case(message.begins(at + 8), b"-encod") {
        says::CHUNKED
    } else if starts_with_any_case(name, b"expect:") {
        says::EXPECT
    } else if starts_with_any_case(name, b"upgrade:") {
        let to = message.begins(at + 8);
        let is_web_socket = starts_with_any_case(to, b" websock") || starts_with_any_case(to, b"websocke");
        let is_http2 = starts_with_any_case(to, b" h2c") || starts_with_any_case(to, b"h2c");
        says::UPGRADE | if is_web_socket { says::WEB_SOCKET } else { 0 } | if is_http2 { says::HTTP2 } else { 0 }
    } else {
        0
    };
    let walk = message.walk();
    message.set_walk(Walk { found: walk.found | says, ..walk });
}

/// The number that stands there, behind spaces: up to 16 digits, which are more than anybody sends.
#[inline(always)]
fn number(message: &mut impl Message, from: u32) -> u64 {
    let spaces = first_set(!bytes_equal(message.begins(from), b' ') & HIGH_BITS);
    let from = message.opaque(from + spaces);
    let (high, more) = digits(message.begins(from));
    if more < 8 {
        return message.opaque_long(high);
    }
    let (low, more) = digits(message.begins(from + 8));
    let mut number = message.opaque_long(high);
    for step in [1, 2, 4, 8] {
        if more & step != 0 {
            number = message.opaque_long(number * 10_u64.pow(step));
        }
    }
    number + low
}

impl Conversation {
    #[inline(always)]
    fn has(&self, bit: u8) -> bool {
        self.more & bit != 0
    }

    /// Whether a send of HTTP has to be heard: not one within a body whose length is known, nor what comes after an upgrade.
    #[inline(always)]
    pub(super) fn listens_to_http1(&self, at: u64, len: u32) -> bool {
        !self.is(is::UPGRADED) && (at + u64::from(len) > self.frame_end || self.has(http::EXPECTS))
    }

    #[inline(always)]
    pub fn hear_http1(&mut self, message: &mut impl Message, send: Send) -> Exactness {
        let (mut head, mut send) = (message.last_head(), send);
        if is_connect(head) && !self.turn.asked(send.at) {
            return self.begin_tunnel(message, head, send);
        }
        if send.after_unseen {
            // Where what was not seen ends, cannot be told.
            self.traits |= is::OPEN_END;
        }
        let mut exactness = Exact;
        if self.has(http::EXPECTS) && send.at < self.frame_end {
            exactness = self.hear_awaited_body(message, head, send);
        }
        if send.at < self.frame_end {
            // The rest of a body, and something behind it.
            let rest = self.frame_end - send.at;
            if rest >= u64::from(send.len) {
                self.turn.excuse_body(send.at, send.len);
                return exactness;
            }
            let rest = message.opaque(rest as u32);
            self.turn.excuse_body(send.at, rest);
            send.skip(rest);
            message.skip(rest);
            head = message.head(0);
            if self.turn.asked(send.at) {
                // A request behind the end of one that is not answered.
                exactness = Inexact;
            }
        }
        if head.len == 0 {
            // Pages (sendfile): no client sends its request from a file.
            self.turn.excuse(send.at, send.len);
            let is_body = self.is(is::OPEN_END) && self.turn.asked(send.at);
            return if is_body { exactness } else { Inexact };
        }
        let begins = if self.is(is::OPEN_END) {
            self.hear_open_end(message, head, send)
        } else {
            self.hear_next(message, head, send)
        };
        let Heard::Request(begun) = begins else { return exactness.and(begins.exactness()) };
        if is_preface(head) {
            return self.begin_http2();
        }
        if self.is(is::HIJACKED) {
            exactness = Inexact;
        }
        exactness.and(begun).and(self.begin_request(message, send))
    }

    /// A body was announced, and its request waits for `100 Continue`: what comes may be that, or the next request.
    #[inline(always)]
    fn hear_awaited_body(&mut self, message: &mut impl Message, head: Head, send: Send) -> Exactness {
        self.more &= !http::EXPECTS;
        let line = message.request_line();
        // Capitals that go on are no method: they are a body.
        let may_be_request =
            line == RequestLine::Request || line == RequestLine::Unclear && head.len < HEAD_BYTES as u32;
        if !self.turn.asked(send.at) && may_be_request {
            // Answered without its body: the next one, or a body that looks so.
            self.frame_end = send.at;
            return Inexact;
        }
        if send.after_unseen { Inexact } else { Exact }
    }

    /// A send where it is not known where the request before it ends: what looks like one begins one.
    #[inline(always)]
    fn hear_open_end(&mut self, message: &mut impl Message, head: Head, send: Send) -> Heard {
        let is_asked = self.turn.asked(send.at);
        let are_open = self.has(http::CHUNKS_OPEN);
        let line = message.request_line();
        if are_open
            && (line != RequestLine::Request || is_asked && self.is(is::CONTINUED))
            && may_end_chunks(message, head, send.len)
        {
            self.more &= !http::CHUNKS_OPEN;
        }
        if is_asked && self.is(is::CONTINUED) {
            return Heard::Nothing(Exact);
        }
        if line == RequestLine::Unclear && !is_asked {
            // A method, written by itself, or capitals of a body.
            return Heard::Nothing(Inexact);
        }
        if line != RequestLine::Request {
            self.turn.excuse(send.at, send.len);
            return Heard::Nothing(Exact);
        }
        // Pipelined, or within a body.
        Heard::Request(if is_asked || are_open { Inexact } else { Exact })
    }

    /// A send where a request has to begin.
    #[inline(always)]
    fn hear_next(&mut self, message: &mut impl Message, head: Head, send: Send) -> Heard {
        // A common method is enough.
        let line = if is_request(head) { RequestLine::Request } else { message.request_line() };
        if line == RequestLine::Other {
            if is_preface(head) {
                return Heard::Nothing(self.begin_http2());
            }
            // A request is through, and no other one begins: it is not HTTP any more (Docker's attach).
            self.turn.excuse(send.at, send.len);
            self.traits |= is::OPEN_END | is::HIJACKED;
            return Heard::Nothing(Exact);
        }
        // Pipelined; or perhaps not HTTP any more.
        let is_pipelined = self.turn.asked(send.at) || line == RequestLine::Unclear;
        Heard::Request(if is_pipelined { Inexact } else { Exact })
    }

    /// A request of HTTP/1 whose head is not looked at may go on.
    #[inline(always)]
    pub fn leave_open(&mut self) {
        if self.application == Application::Http1 as u8 {
            self.traits |= is::OPEN_END | is::AWAITS_STATUS;
        }
    }

    /// A request begins a send: where it ends, and what may answer it.
    #[inline(always)]
    pub(super) fn begin_request(&mut self, message: &mut impl Message, send: Send) -> Exactness {
        self.traits &= !(is::OPEN_END
            | is::CONTINUED
            | is::AWAITS_STATUS
            | is::STATUS_DECIDES
            | is::WEB_SOCKET
            | is::HTTP2_OFFERED);
        self.more = 0;
        let taken = message.beginning().unwrap_or(0);
        let framing = message.framing(0, taken);
        if framing.end == 0 {
            self.traits |= is::OPEN_END | is::AWAITS_STATUS;
            self.frame_end = send.at;
            return Exact;
        }
        if framing.says & says::UPGRADE != 0 {
            self.traits |= is::AWAITS_STATUS | is::STATUS_DECIDES;
        }
        if framing.says & says::WEB_SOCKET != 0 {
            self.traits |= is::WEB_SOCKET;
        }
        if framing.says & says::HTTP2 != 0 {
            self.traits |= is::HTTP2_OFFERED;
        }
        if framing.says & says::EXPECT != 0 {
            let is_open = framing.says & says::CHUNKED != 0;
            self.traits |= is::AWAITS_STATUS | if is_open { is::STATUS_DECIDES } else { 0 };
            self.more |= http::EXPECTS;
        }
        let behind = message.opaque(send.len.wrapping_sub(framing.end));
        if framing.says & says::CHUNKED != 0 {
            self.frame_end = send.at;
            self.traits |= is::OPEN_END;
            if behind == 0 {
                self.more |= http::CHUNKS_OPEN;
                return Exact;
            }
            let tail = message.head(send.len.wrapping_sub(LAST_CHUNK.len() as u32));
            if tail.len > 0 && !tail.starts_with(BEHIND_DATA) {
                self.more |= http::CHUNKS_OPEN;
            }
            if tail.starts_with(LAST_CHUNK) {
                self.more &= !http::CHUNKS_OPEN;
                self.traits &= !is::OPEN_END;
                self.frame_end = send.at + u64::from(send.len);
            }
            return Exact;
        }
        self.frame_end = send.at + u64::from(framing.end) + framing.body;
        let body = if framing.body > u64::from(behind) { behind } else { framing.body as u32 };
        let rest = message.opaque(behind - body);
        // Some clients end a body with an empty line more.
        if rest > 2 {
            // Another request behind it, or several.
            self.frame_end = send.at + u64::from(send.len);
            return Inexact;
        }
        Exact
    }

    /// What a request is that no hook has seen, its answer's status alone tells.
    #[inline(always)]
    pub(super) fn await_status(&mut self) {
        if !self.is(is::AWAITS_STATUS) {
            self.traits |= is::AWAITS_STATUS | is::STATUS_DECIDES;
        }
    }

    /// An answer begins with what was read just now, or goes on with it: `len` bytes. Of one that is only preliminary, the
    /// turn is told.
    #[inline(always)]
    pub(super) fn hear_status(&mut self, message: &mut impl Message, len: u32) -> Exactness {
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
    pub(super) fn miss_status(&mut self) -> Exactness {
        let decides = self.is(is::STATUS_DECIDES);
        self.traits &= !(is::AWAITS_STATUS | is::INTERIM_OPEN);
        if decides { Inexact } else { Exact }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::Sent;

    fn of_line(bytes: &[u8]) -> RequestLine {
        let mut sent = Sent::new(bytes);
        let _ = sent.head(0);
        request_line(&mut sent)
    }

    fn is_line(bytes: &[u8]) -> bool {
        of_line(bytes) == RequestLine::Request
    }

    #[test]
    fn requests_are_told_by_their_first_line() {
        for text in [
            "GET / HTTP/1.1\r\n",
            "\r\nGET / HTTP/1.1",
            "PURGE /x HTTP/1.1\r\nHost: a",
            "M-SEARCH * HTTP/1.1\r\n",
            "BASELINE-CONTROL /abc/def/ghi/jkl HTTP/1.1",
            "GET http://example.org/ HTTP/1.1",
            "GET /a/long/path/that/goes/on/and/on HTTP/1.1",
            "GET ",
        ] {
            assert!(is_line(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn capitals_are_no_requests() {
        for text in [
            "ACGTTGCAACGTTGCAACGTTGCAACGTTGCAACGT",
            "SELECT * FROM t WHERE a = 1",
            "INSERT INTO t VALUES (1)",
            "SELECT /* all */ * FROM t",
            "NAME,CITY\nsomebody,somewhere\n",
            ">SEQ1\nACGT",
            "FACE\r\nabcdefgh",
            "HELO there",
            "TWFuIGlzIGRpc3Rpbmd1aXNoZWQsIG5vdCBvbmx5",
            "",
        ] {
            assert!(!is_line(text.as_bytes()), "{text}");
        }
        assert!(of_line(b"ACGT") == RequestLine::Unclear && of_line(b"GET") == RequestLine::Unclear);
    }

    fn framed(text: &str) -> (u32, u64, u32) {
        let mut sent = Sent::new(text.as_bytes());
        let taken = sent.beginning().unwrap_or(0);
        let Framing { body, end, says } = framing(&mut sent, 0, taken);
        (end, body, says)
    }

    #[test]
    fn heads_say_where_requests_end() {
        let get = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        assert_eq!(framed(get), (get.len() as u32, 0, 0));
        assert_eq!(framed(&format!("{get}{get}")), (get.len() as u32, 0, 0));
        let post =
            "POST / HTTP/1.1\r\ncontent-LENGTH:  12345678901\r\nContent-Type: a/b\r\nExpect: 100-continue\r\n\r\n";
        assert_eq!(framed(&format!("{post}body")), (post.len() as u32, 12_345_678_901, says::LENGTH | says::EXPECT));
        let bare = "PUT /x HTTP/1.1\nTransfer-Encoding: chunked\nUpgrade-Insecure-Requests: 1\n\n";
        assert_eq!(framed(bare), (bare.len() as u32, 0, says::CHUNKED));
        let upgrade = "GET /x HTTP/1.1\r\nUPGRADE: websocket\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(framed(upgrade), (upgrade.len() as u32, 0, says::LENGTH | says::UPGRADE | says::WEB_SOCKET));
        for length in [0, 7, 10, 12_345_678, 123_456_789, 3 << 30, 9_999_999_999_999_999] {
            assert_eq!(framed(&format!("PUT / HTTP/1.1\r\nContent-Length:{length}\r\n\r\n")).1, length);
        }
        assert_eq!(framed("GET / HTTP/1.1\r\nHost: loc").0, 0, "a head in pieces");
        for cut in 0..upgrade.len() {
            assert_eq!(framed(&upgrade[..cut]).0, 0, "{cut}");
        }
        let long = format!("GET / HTTP/1.1\r\nCookie: {}\r\n\r\n", "x".repeat(3000));
        assert_eq!(framed(&long).0, 0);
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(60));
        assert_eq!(framed(&many).0, many.len() as u32);
    }
}
