//! The opening of a conversation, by which its protocol is identified.

use super::{
    Application, Conversation, Head, Message, Protocol, Send, TARGET_UNCLEAR,
    application::{self, context},
    exactness::Exactness::{self, Exact, Inexact},
    protocols::{http1, http2, memcached, mysql, proxy, socks, tls},
    traits,
};

impl Conversation {
    /// Inspects a send that may open a protocol: at the start, or where TLS starts on a connection in the clear.
    #[inline(always)]
    pub fn inspect_opening(&mut self, message: &mut impl Message, send: &mut Send) -> Exactness {
        let mut head = message.last_head();
        if self.protocol == Protocol::Http2 as u8 {
            self.inspect_http2(message, false, *send);
            return Exact;
        }
        if self.protocol == Protocol::Plain as u8 {
            if !tls::is_hello(head) || self.turn.has_open_ask(send.at) {
                return Exact;
            }
            // StartTLS: everything before it is set-up, and the conversation continues unseen inside TLS.
            self.begin_tls(message, head, *send);
            self.traits |= traits::DOUBTFUL;
            return Inexact;
        }
        let header = if send.is_first() { proxy::header_bytes(message, head) } else { 0 };
        if header > 0 && header <= send.len {
            // The header names the balancer's client. The protocol opens after it, in this send or in the next.
            message.note_target(TARGET_UNCLEAR);
            let header = message.opaque(header);
            self.turn.exclude(send.at, header);
            self.frame_end = u64::from(header);
            send.skip(header);
            if send.len == 0 {
                return Exact;
            }
            message.skip(header);
            head = message.head(0);
        }
        self.identify(message, head, *send)
    }

    /// Identifies the protocol by the first send.
    #[inline(always)]
    fn identify(&mut self, message: &mut impl Message, head: Head, send: Send) -> Exactness {
        if head.len == 0 {
            // Whether it asks something is unknown.
            return Inexact;
        }
        if tls::is_record(head) {
            self.begin_tls(message, head, send);
            return Exact;
        }
        if http2::is_preface(head) {
            let exactness = self.begin_http2();
            self.inspect_http2(message, true, send);
            return exactness;
        }
        if !send.is_first() && http2::is_frame(head, send.len) {
            return self.begin_http2();
        }
        if http1::is_connect(head) || self.has(traits::TUNNEL) && !send.has_read() {
            return self.begin_tunnel(message, head, send);
        }
        if socks::is_setup(head, send.len, self.has(traits::SOCKS)) {
            self.traits |= traits::SOCKS;
            message.note_target(TARGET_UNCLEAR);
            self.turn.exclude(send.at, send.len);
            return Exact;
        }
        self.protocol = Protocol::Plain as u8;
        // The first send may follow a PROXY protocol header.
        let is_server_first =
            send.at == self.frame_end && send.server_spoke() && !self.has(traits::TUNNEL | traits::SOCKS);
        self.frame_end = 0;
        let mut context = 0;
        if send.is_first() {
            context |= context::FIRST;
        }
        if send.server_spoke() {
            context |= context::SERVER_SPOKE;
        }
        if is_server_first {
            context |= context::SERVER_FIRST;
            if self.has(traits::GREETED) {
                context |= context::GREETED;
            }
        }
        self.application = message.recognise(send.len, context);
        if self.application != Application::Unknown as u8 {
            return if application::has_exact_turns(self.application) { Exact } else { Inexact };
        }
        if is_server_first {
            // Only the server knows how many of the later sends are set-up.
            self.traits |= traits::SERVER_FIRST;
            return Inexact;
        }
        self.traits |= traits::UNIDENTIFIED;
        if http1::may_be_request(message) {
            // Confirmed only if the answer is HTTP too.
            self.application = Application::Http1 as u8;
        }
        if memcached::may_be_command(message.last_head()) {
            self.traits |= traits::MAY_BE_MEMCACHED;
        }
        if !send.is_first() && mysql::may_be_command(message.last_head(), send.len) {
            self.traits |= traits::MAY_BE_MYSQL;
        }
        Exact
    }
}
