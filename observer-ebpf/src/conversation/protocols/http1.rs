//! HTTP/1 in the clear. RFC 9110 section 9, RFC 9112.
//!
//! A request begins with a method, and its head says where it ends: after `Content-Length` bytes, or with the head.
//! Bytes before that end ask nothing, regardless of their content, and bytes after it in the same send are pipelined
//! requests. Where the end is unknown (a chunked body, a head in pieces), a send that looks like a request line begins
//! a request.
//!
//! The status of an answer is read only if it may be preliminary: `100 Continue` is not the answer yet, and no more
//! requests come after `101 Switching Protocols`.

mod chunks;
mod connect;
mod framing;
mod request_line;
mod status;

use super::http2;
use crate::conversation::{Application, Conversation, Exactness, HEAD_BYTES, Head, Message, Send, traits};
use Exactness::{Exact, Inexact};
use chunks::{BEHIND_DATA, LAST_CHUNK, may_end_chunks};
pub(in crate::conversation) use connect::is_connect;
use framing::headers;
pub use framing::{Framing, framing, next_line, parse_header};
pub use request_line::{RequestLine, request_line};
pub(in crate::conversation) use request_line::{is_request, may_be_request};
pub(in crate::conversation) use status::is_answer;

/// Bits of [`Conversation::protocol_traits`].
mod http {
    /// A preliminary answer to the request has arrived.
    pub(super) const INTERIM: u8 = 1;
    /// The body is chunked, and its last chunk was not seen.
    pub(super) const CHUNKS_OPEN: u8 = 1 << 1;
    /// The request has `Expect`, and neither `100 Continue` nor its body was seen.
    pub(super) const EXPECTS: u8 = 1 << 2;
}

/// What a send begins with.
#[derive(Clone, Copy)]
enum Finding {
    Request(Exactness),
    Nothing(Exactness),
}

impl Finding {
    #[inline(always)]
    fn exactness(self) -> Exactness {
        match self {
            Self::Request(exactness) | Self::Nothing(exactness) => exactness,
        }
    }
}

impl Conversation {
    #[inline(always)]
    fn has_http(&self, bit: u8) -> bool {
        self.protocol_traits & bit != 0
    }

    /// Whether an HTTP send needs inspection. A send inside a body of known length does not, nor does one after an
    /// upgrade.
    #[inline(always)]
    pub(in crate::conversation) fn http1_needs_inspection(&self, at: u64, len: u32) -> bool {
        !self.has(traits::UPGRADED) && (at + u64::from(len) > self.frame_end || self.has_http(http::EXPECTS))
    }

    #[inline(always)]
    pub fn inspect_http1(&mut self, message: &mut impl Message, send: Send) -> Exactness {
        let (mut head, mut send) = (message.last_head(), send);
        if is_connect(head) && !self.turn.has_open_ask(send.at) {
            return self.begin_tunnel(message, head, send);
        }
        if send.after_unseen {
            // The end of the unseen bytes is unknown.
            self.traits |= traits::OPEN_ENDED;
        }
        let mut exactness = Exact;
        if self.has_http(http::EXPECTS) && send.at < self.frame_end {
            exactness = self.inspect_awaited_body(message, head, send);
        }
        if send.at < self.frame_end {
            // The rest of a body, followed by something else.
            let rest = self.frame_end - send.at;
            if rest >= u64::from(send.len) {
                self.turn.exclude_body(send.at, send.len);
                return exactness;
            }
            let rest = message.opaque(rest as u32);
            self.turn.exclude_body(send.at, rest);
            send.skip(rest);
            message.skip(rest);
            head = message.head(0);
            if self.turn.has_open_ask(send.at) {
                // A request after the end of an unanswered one.
                exactness = Inexact;
            }
        }
        if head.len == 0 {
            // Pages (sendfile). No client sends its request from a file.
            self.turn.exclude(send.at, send.len);
            let is_body = self.has(traits::OPEN_ENDED) && self.turn.has_open_ask(send.at);
            return if is_body { exactness } else { Inexact };
        }
        let begins = if self.has(traits::OPEN_ENDED) {
            self.inspect_open_ended(message, head, send)
        } else {
            self.inspect_next(message, head, send)
        };
        let Finding::Request(resumed_turn) = begins else { return exactness.and(begins.exactness()) };
        if http2::is_preface(head) {
            return self.begin_http2();
        }
        if self.has(traits::HIJACKED) {
            exactness = Inexact;
        }
        exactness.and(resumed_turn).and(self.begin_request(message, send))
    }

    /// Inspects a send after a request that waits for `100 Continue` with an announced body: the body, or the next
    /// request.
    #[inline(always)]
    fn inspect_awaited_body(&mut self, message: &mut impl Message, head: Head, send: Send) -> Exactness {
        self.protocol_traits &= !http::EXPECTS;
        let line = message.request_line();
        // A long run of capitals is a body, not a method.
        let may_be_request =
            line == RequestLine::Request || line == RequestLine::Unclear && head.len < HEAD_BYTES as u32;
        if !self.turn.has_open_ask(send.at) && may_be_request {
            // The request was answered without its body, so this is the next request, or a body that looks like one.
            self.frame_end = send.at;
            return Inexact;
        }
        if send.after_unseen { Inexact } else { Exact }
    }

    /// Inspects a send where the previous request's end is unknown. Bytes that look like a request begin one.
    #[inline(always)]
    fn inspect_open_ended(&mut self, message: &mut impl Message, head: Head, send: Send) -> Finding {
        let is_asked = self.turn.has_open_ask(send.at);
        let are_open = self.has_http(http::CHUNKS_OPEN);
        let line = message.request_line();
        if are_open
            && (line != RequestLine::Request || is_asked && self.has(traits::CONTINUED))
            && may_end_chunks(message, head, send.len)
        {
            self.protocol_traits &= !http::CHUNKS_OPEN;
        }
        if is_asked && self.has(traits::CONTINUED) {
            return Finding::Nothing(Exact);
        }
        if line == RequestLine::Unclear && !is_asked {
            // Only a method, or a body in capitals.
            return Finding::Nothing(Inexact);
        }
        if line != RequestLine::Request {
            self.turn.exclude(send.at, send.len);
            return Finding::Nothing(Exact);
        }
        // Pipelined, or inside a body.
        Finding::Request(if is_asked || are_open { Inexact } else { Exact })
    }

    /// Inspects a send where a request has to begin.
    #[inline(always)]
    fn inspect_next(&mut self, message: &mut impl Message, head: Head, send: Send) -> Finding {
        // A common method suffices.
        let line = if is_request(head) { RequestLine::Request } else { message.request_line() };
        if line == RequestLine::Other {
            if http2::is_preface(head) {
                return Finding::Nothing(self.begin_http2());
            }
            // A request is complete and no other begins, so the connection no longer speaks HTTP (Docker's attach).
            self.turn.exclude(send.at, send.len);
            self.traits |= traits::OPEN_ENDED | traits::HIJACKED;
            return Finding::Nothing(Exact);
        }
        // Pipelined, or perhaps no longer HTTP.
        let is_pipelined = self.turn.has_open_ask(send.at) || line == RequestLine::Unclear;
        Finding::Request(if is_pipelined { Inexact } else { Exact })
    }

    /// Leaves the end of an HTTP/1 request open, because its head was not parsed.
    #[inline(always)]
    pub fn leave_open(&mut self) {
        if self.application == Application::Http1 as u8 {
            self.traits |= traits::OPEN_ENDED | traits::AWAITS_STATUS;
        }
    }

    /// Begins a request: determines where it ends and which answers it may get.
    #[inline(always)]
    pub(in crate::conversation) fn begin_request(&mut self, message: &mut impl Message, send: Send) -> Exactness {
        self.traits &= !(traits::OPEN_ENDED
            | traits::CONTINUED
            | traits::AWAITS_STATUS
            | traits::STATUS_DECIDES
            | traits::WEB_SOCKET
            | traits::HTTP2_OFFERED);
        self.protocol_traits = 0;
        let prefix_len = message.prefix().unwrap_or(0);
        let framing = message.framing(0, prefix_len);
        if framing.end == 0 {
            self.traits |= traits::OPEN_ENDED | traits::AWAITS_STATUS;
            self.frame_end = send.at;
            return Exact;
        }
        if framing.headers & headers::UPGRADE != 0 {
            self.traits |= traits::AWAITS_STATUS | traits::STATUS_DECIDES;
        }
        if framing.headers & headers::WEB_SOCKET != 0 {
            self.traits |= traits::WEB_SOCKET;
        }
        if framing.headers & headers::HTTP2 != 0 {
            self.traits |= traits::HTTP2_OFFERED;
        }
        if framing.headers & headers::EXPECT != 0 {
            let is_open = framing.headers & headers::CHUNKED != 0;
            self.traits |= traits::AWAITS_STATUS | if is_open { traits::STATUS_DECIDES } else { 0 };
            self.protocol_traits |= http::EXPECTS;
        }
        let behind = message.opaque(send.len.wrapping_sub(framing.end));
        if framing.headers & headers::CHUNKED != 0 {
            self.frame_end = send.at;
            self.traits |= traits::OPEN_ENDED;
            if behind == 0 {
                self.protocol_traits |= http::CHUNKS_OPEN;
                return Exact;
            }
            let tail = message.head(send.len.wrapping_sub(LAST_CHUNK.len() as u32));
            if tail.len > 0 && !tail.starts_with(BEHIND_DATA) {
                self.protocol_traits |= http::CHUNKS_OPEN;
            }
            if tail.starts_with(LAST_CHUNK) {
                self.protocol_traits &= !http::CHUNKS_OPEN;
                self.traits &= !traits::OPEN_ENDED;
                self.frame_end = send.at + u64::from(send.len);
            }
            return Exact;
        }
        self.frame_end = send.at + u64::from(framing.end) + framing.body;
        let body = if framing.body > u64::from(behind) { behind } else { framing.body as u32 };
        let rest = message.opaque(behind - body);
        // Some clients end a body with an extra empty line.
        if rest > 2 {
            // One or more further requests after it.
            self.frame_end = send.at + u64::from(send.len);
            return Inexact;
        }
        Exact
    }
}
