//! Opening.

use super::{
    Application, Conversation, Head, Message, Protocol, Send, TARGET_UNCLEAR,
    application::{self, known},
    exactness::Exactness::{self, Exact, Inexact},
    is,
    protocols::{http1, http2, memcached, mysql, proxy, socks, tls},
};

impl Conversation {
    /// What is spoken may begin with this send: at the beginning, and where TLS begins behind something else.
    #[inline(always)]
    pub fn begin(&mut self, message: &mut impl Message, send: &mut Send) -> Exactness {
        let mut head = message.last_head();
        if self.protocol == Protocol::Http2 as u8 {
            self.hear_http2(message, false, *send);
            return Exact;
        }
        if self.protocol == Protocol::Plain as u8 {
            if !tls::is_hello(head) || self.turn.asked(send.at) {
                return Exact;
            }
            // StartTLS: what was said before it is set-up, and within TLS it goes on unseen.
            self.begin_tls(message, head, *send);
            self.traits |= is::DOUBTED;
            return Inexact;
        }
        let header = if send.is_first() { proxy::header_bytes(message, head) } else { 0 };
        if header > 0 && header <= send.len {
            // Whom the balancer connects for; then what is spoken begins, here or with the next send.
            message.note_target(TARGET_UNCLEAR);
            let header = message.opaque(header);
            self.turn.excuse(send.at, header);
            self.frame_end = u64::from(header);
            send.skip(header);
            if send.len == 0 {
                return Exact;
            }
            message.skip(header);
            head = message.head(0);
        }
        self.hear_first(message, head, *send)
    }

    /// The first send tells what is spoken.
    #[inline(always)]
    fn hear_first(&mut self, message: &mut impl Message, head: Head, send: Send) -> Exactness {
        if head.len == 0 {
            // Whether it asks something cannot be told.
            return Inexact;
        }
        if tls::is_record(head) {
            self.begin_tls(message, head, send);
            return Exact;
        }
        if http2::is_preface(head) {
            let exactness = self.begin_http2();
            self.hear_http2(message, true, send);
            return exactness;
        }
        if !send.is_first() && http2::is_frame(head, send.len) {
            return self.begin_http2();
        }
        if http1::is_connect(head) || self.is(is::TUNNEL) && !send.has_read() {
            return self.begin_tunnel(message, head, send);
        }
        if socks::is_setup(head, send.len, self.is(is::SOCKS)) {
            self.traits |= is::SOCKS;
            message.note_target(TARGET_UNCLEAR);
            self.turn.excuse(send.at, send.len);
            return Exact;
        }
        self.protocol = Protocol::Plain as u8;
        // Perhaps behind a header of the PROXY protocol.
        let is_server_first = send.at == self.frame_end && send.server_spoke() && !self.is(is::TUNNEL | is::SOCKS);
        self.frame_end = 0;
        let mut known = 0;
        if send.is_first() {
            known |= known::FIRST;
        }
        if send.server_spoke() {
            known |= known::SERVER_SPOKE;
        }
        if is_server_first {
            known |= known::SERVER_FIRST;
            if self.is(is::GREETED) {
                known |= known::GREETED;
            }
        }
        self.application = message.recognise(send.len, known);
        if self.application != Application::Unknown as u8 {
            return if application::has_exact_turns(self.application) { Exact } else { Inexact };
        }
        if is_server_first {
            // How much of what follows is set-up, the server alone knows.
            self.traits |= is::SERVER_FIRST;
            return Inexact;
        }
        self.traits |= is::UNTOLD;
        if http1::may_be_request(message) {
            // If it is answered so.
            self.application = Application::Http1 as u8;
        }
        if memcached::may_be_command(message.last_head()) {
            self.traits |= is::MAY_BE_MEMCACHED;
        }
        if !send.is_first() && mysql::may_be_command(message.last_head(), send.len) {
            self.traits |= is::MAY_BE_MYSQL;
        }
        Exact
    }
}
