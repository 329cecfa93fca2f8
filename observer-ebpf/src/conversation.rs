//! What the sends of a connection mean: which of them ask something, and which only set it up or go on with what was
//! asked. With that, and [`Turn`], exchanges are counted.
//!
//! It is told from the first bytes of sends, and only where the protocol makes it necessary, and from those of the first
//! answer where they alone tell. What is not recognised is counted in turns, which are not called exact.
//!
//! Plain functions, built for the kernel and for the host alike. Every loop is bounded, as the verifier wants it.

mod amqp;
mod application;
mod dns;
mod ftp;
mod http1;
mod http2;
mod kafka;
mod ldap;
mod memcached;
mod message;
mod mongodb;
mod mqtt;
mod mysql;
mod nats;
mod postgresql;
mod proxy;
mod redis;
mod smtp;
mod socks;
mod sql;
mod ssh;
mod target;
mod tls;

#[cfg(test)]
mod fixture;

use crate::Turn;
use application::known;
pub use application::{Application, SEVERAL_APPLICATIONS};
pub use http1::{Framing, RequestLine};
pub use message::{BEGINNING_BYTES, Beginning, HEAD_BYTES, Head, Message, Send, WORD_BYTES, Walk};
pub use target::{NO_TARGET, TARGET_UNCLEAR};

/// The steps through a message that the kernel side has verified by themselves: what [`Message`] has of them.
pub mod step {
    pub use super::{
        application::recognise,
        http1::{framing, line_feed, near_line_feed, next_line, read_line, request_line},
        postgresql::next_message as postgresql_message,
        redis::next_word as redis_word,
        sql::{is_setting, statement_end},
        target::{goes_on as target_goes_on, next_word as target_word},
        tls::{next_extension as tls_extension, next_name as tls_name},
    };
}

/// How a connection's payload is wrapped, as far as its sends tell.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Nothing was sent, or nothing of what was sent could be seen.
    Unknown = 0,
    Plain = 1,
    Tls = 2,
    Http2 = 3,
}

/// Bits of [`Conversation::traits`].
mod is {
    /// TLS: HTTP/1 was offered (ALPN).
    pub(super) const HTTP: u32 = 1;
    /// TLS: something else than HTTP was offered.
    pub(super) const OTHER_OFFERED: u32 = 1 << 1;
    /// The server spoke first.
    pub(super) const SERVER_FIRST: u32 = 1 << 2;
    /// HTTP/2 was offered: by ALPN, where what was chosen the server says encrypted; or in the clear, for an upgrade.
    pub(super) const HTTP2_OFFERED: u32 = 1 << 3;
    /// Its `ClientHello` was seen, with all its extensions.
    pub(super) const HELLO_SEEN: u32 = 1 << 4;
    /// The client has sent a change cipher spec.
    pub(super) const CIPHER_CHANGED: u32 = 1 << 5;
    /// TLS up to 1.2: the rest of the handshake is in records of its own type.
    pub(super) const TLS12: u32 = 1 << 6;
    /// The client's part of the handshake is over: what it sends now is data.
    pub(super) const FINISHED: u32 = 1 << 7;
    /// TLS: data has begun a turn.
    pub(super) const ASKED: u32 = 1 << 8;
    /// TLS 1.3: tickets may come with the first answer, as the client takes them, and they have not been seen yet.
    pub(super) const TICKETS_DUE: u32 = 1 << 9;
    /// TLS 1.2 with ChaCha20.
    pub(super) const CHACHA: u32 = 1 << 10;
    /// Asked a proxy for a tunnel: by CONNECT, by SOCKS.
    pub(super) const TUNNEL: u32 = 1 << 11;
    pub(super) const SOCKS: u32 = 1 << 12;
    /// TLS 1.3 by Java, which pads its records.
    pub(super) const PADDED: u32 = 1 << 13;
    /// TLS: what came first after the first request may be tickets, read in one piece.
    pub(super) const MAY_BE_TICKETS: u32 = 1 << 14;
    /// The first answer has to tell what is spoken.
    pub(super) const UNTOLD: u32 = 1 << 15;
    /// The server has greeted with a number, as those of SMTP and FTP do.
    pub(super) const GREETED: u32 = 1 << 16;
    /// Something else than set-up was sent.
    pub(super) const COMMANDED: u32 = 1 << 17;
    /// An upload goes on until the server says how it went.
    pub(super) const UPLOADING: u32 = 1 << 18;
    /// What was sent last is all of what was asked.
    pub(super) const COMPLETE: u32 = 1 << 19;
    /// MySQL: the client has answered the greeting.
    pub(super) const LOGGED_IN: u32 = 1 << 20;
    /// HTTP/1: it is not known where the request ends.
    pub(super) const OPEN_END: u32 = 1 << 21;
    /// HTTP/1: the server has said `100 Continue`, and has not answered yet.
    pub(super) const CONTINUED: u32 = 1 << 22;
    /// HTTP/1: the status of what is read next is needed.
    pub(super) const AWAITS_STATUS: u32 = 1 << 23;
    /// HTTP/1: the head of a preliminary answer goes on in the next read.
    pub(super) const INTERIM_OPEN: u32 = 1 << 24;
    /// HTTP/1: only the status of the answer tells what is sent after it.
    pub(super) const STATUS_DECIDES: u32 = 1 << 25;
    /// HTTP/1: the request wants to go on as a WebSocket.
    pub(super) const WEB_SOCKET: u32 = 1 << 26;
    /// HTTP/1: `101 Switching Protocols` came.
    pub(super) const UPGRADED: u32 = 1 << 27;
    /// HTTP/1: something else than a request was sent where one had to begin.
    pub(super) const HIJACKED: u32 = 1 << 28;
    /// What the first send may be, if its answer says so too.
    pub(super) const MAY_BE_MEMCACHED: u32 = 1 << 29;
    pub(super) const MAY_BE_MYSQL: u32 = 1 << 30;
    /// Something speaks against each turn being a request.
    pub(super) const DOUBTED: u32 = 1 << 31;
}

/// Whether what a connection carries can still be counted exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Exactness {
    Exact,
    Inexact,
}

use Exactness::{Exact, Inexact};

impl Exactness {
    #[inline(always)]
    fn and(self, other: Self) -> Self {
        if self == Inexact { Inexact } else { other }
    }
}

/// Who hears a send: see [`Conversation::kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is known of what is spoken, or nothing has to be.
    Unknown,
    /// The handshake of TLS.
    Handshake,
    /// What comes behind it.
    Tls,
    Http1,
    Other,
}

impl Kind {
    /// Whether something else may begin with a send.
    #[inline(always)]
    #[must_use]
    pub fn begins(self) -> bool {
        matches!(self, Self::Unknown | Self::Other)
    }
}

/// The steps in which a send is heard. The kernel side has each of them verified by itself: together they would be walked
/// through once for each way through all of them.
pub trait Steps {
    /// Who hears the send, as far as it is known by now.
    fn kind(&self) -> Kind;

    /// See [`Conversation::begin`].
    fn begin(&mut self) -> Exactness;

    /// See [`Conversation::hear_handshake`].
    fn hear_handshake(&mut self) -> Exactness;

    /// See [`Conversation::hear_tls`].
    fn hear_tls(&mut self) -> Exactness;

    /// See [`Conversation::hear_http1`].
    fn hear_http1(&mut self) -> Exactness;

    /// See [`Conversation::hear_other`].
    fn hear_other(&mut self) -> Exactness;
}

/// Hears a send whose head was taken.
#[inline(always)]
pub fn hear(steps: &mut impl Steps) -> Exactness {
    let (mut kind, mut begun) = (steps.kind(), Exact);
    if kind.begins() {
        begun = steps.begin();
        kind = steps.kind();
    }
    if kind == Kind::Handshake {
        begun = begun.and(steps.hear_handshake());
        kind = steps.kind();
    }
    begun.and(match kind {
        Kind::Unknown | Kind::Handshake => Exact,
        Kind::Tls => steps.hear_tls(),
        Kind::Http1 => steps.hear_http1(),
        Kind::Other => steps.hear_other(),
    })
}

/// All steps at once.
struct Whole<'a, M> {
    conversation: &'a mut Conversation,
    message: &'a mut M,
    send: Send,
}

impl<M: Message> Steps for Whole<'_, M> {
    fn kind(&self) -> Kind {
        self.conversation.kind()
    }

    fn begin(&mut self) -> Exactness {
        self.conversation.begin(self.message, &mut self.send)
    }

    fn hear_handshake(&mut self) -> Exactness {
        self.conversation.hear_handshake(self.message, &mut self.send)
    }

    fn hear_tls(&mut self) -> Exactness {
        self.conversation.hear_tls(self.message, self.send)
    }

    fn hear_http1(&mut self) -> Exactness {
        self.conversation.hear_http1(self.message, self.send)
    }

    fn hear_other(&mut self) -> Exactness {
        self.conversation.hear_other(self.message, self.send)
    }
}

/// Turns of a connection that is not recognised whose sends are looked at: TLS may begin behind a few (StartTLS).
const MAX_LOOKS: u8 = 8;

#[repr(C)]
#[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    pub turn: Turn,
    /// TLS: where the next record begins, until the handshake is over. HTTP/1: where the request ends.
    frame_end: u64,
    /// Bits of [`is`].
    traits: u32,
    /// A [`Protocol`].
    pub protocol: u8,
    /// An [`Application`].
    pub application: u8,
    /// Sends that were looked at and not recognised.
    looks: u8,
    /// Bits that each protocol has of its own.
    more: u8,
}

const _: () = assert!(size_of::<Conversation>() == 72);

impl Conversation {
    pub const EMPTY: Self = Self {
        turn: Turn::EMPTY,
        frame_end: 0,
        traits: 0,
        protocol: Protocol::Unknown as u8,
        application: Application::Unknown as u8,
        looks: 0,
        more: 0,
    };

    /// See [`Turn::resumed`].
    #[inline(always)]
    #[must_use]
    pub fn resumed(written: u64, consumed: u64, is_pending: bool) -> Self {
        Self { turn: Turn::resumed(written, consumed, is_pending), ..Self::EMPTY }
    }

    /// Whether each turn of it is known to be a request with its answer.
    #[inline(always)]
    #[must_use]
    pub fn is_recognised(&self) -> bool {
        if self.protocol == Protocol::Tls as u8 {
            return self.traits & (is::HELLO_SEEN | is::OTHER_OFFERED | is::DOUBTED) == is::HELLO_SEEN;
        }
        self.protocol == Protocol::Plain as u8 && application::has_exact_turns(self.application) && !self.is(is::UNTOLD)
    }

    /// Whether the server may say something at the end that answers nothing: TLS's goodbye, HTTP/2's GOAWAY, or that of a
    /// protocol that is not known.
    #[inline(always)]
    #[must_use]
    pub fn may_say_goodbye(&self) -> bool {
        self.protocol != Protocol::Unknown as u8
            && (self.protocol != Protocol::Plain as u8 || !application::has_exact_turns(self.application))
    }

    /// Whether what was written up to here, which no hook has seen, may have asked nothing or more than once.
    #[inline(always)]
    #[must_use]
    pub fn is_doubtful(&self, written: u64) -> bool {
        let is_whole_body =
            self.application == Application::Http1 as u8 && !self.is(is::OPEN_END) && self.frame_end >= written;
        if self.turn.is_late() || self.turn.is_partly_unseen() && !is_whole_body {
            return true;
        }
        let is_sure = self.application == Application::Http1 as u8
            && !self.is(is::OPEN_END | is::UPGRADED)
            && self.turn.heard_end() >= self.frame_end
            && written > self.frame_end
            || self.application == Application::Memcached as u8
            || self.application == Application::Redis as u8 && self.is(is::COMMANDED);
        self.turn.is_unseen() && !is_sure
    }

    /// Whether a send of `len` bytes has to be heard. One of which it is known already that it asks nothing is excused.
    #[inline(always)]
    #[must_use]
    pub fn listens(&mut self, at: u64, len: u32) -> bool {
        if self.protocol == Protocol::Http2 as u8 {
            return self.more & http2::QUIET != 0;
        }
        if self.protocol != Protocol::Plain as u8 {
            return true;
        }
        let application = self.application;
        let is_asked = self.turn.asked(at);
        let listens = if application == Application::Http1 as u8 || application == Application::Websocket as u8 {
            let listens = self.listens_to_http1(at, len);
            if !listens {
                self.turn.excuse_body(at, len);
            }
            return listens;
        } else if self.is(is::UPLOADING) {
            false
        } else if application == Application::Redis as u8 {
            return is_asked || !self.is(is::COMMANDED);
        } else if application::has_exact_turns(application) {
            return true;
        } else if application == Application::Unknown as u8 {
            return self.looks < MAX_LOOKS && (!is_asked || self.is(is::UNTOLD));
        } else {
            return !is_asked && !self.is(is::COMMANDED);
        };
        if !listens {
            self.turn.excuse(at, len);
        }
        listens
    }

    /// A send begins. What was answered before it has been counted by then.
    #[inline(always)]
    pub fn hear(&mut self, message: &mut impl Message, send: Send) -> Exactness {
        let _ = message.head(0);
        hear(&mut Whole { conversation: self, message, send })
    }

    /// Who hears a send.
    #[inline(always)]
    #[must_use]
    pub fn kind(&self) -> Kind {
        if self.protocol == Protocol::Tls as u8 {
            if self.is(is::FINISHED) { Kind::Tls } else { Kind::Handshake }
        } else if self.protocol != Protocol::Plain as u8 {
            Kind::Unknown
        } else if self.application == Application::Http1 as u8 {
            Kind::Http1
        } else {
            Kind::Other
        }
    }

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
        if http1::is_preface(head) {
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

    /// A send of a connection in the clear that is not HTTP/1.
    #[inline(always)]
    pub fn hear_other(&mut self, message: &mut impl Message, send: Send) -> Exactness {
        let (application, head) = (self.application, message.last_head());
        if application == Application::Postgresql as u8 {
            return self.hear_postgresql(message, head, send);
        }
        if application == Application::Mysql as u8 {
            return self.hear_mysql(message, head, send);
        }
        if application == Application::Redis as u8 {
            return self.hear_redis(message, head, send);
        }
        if application == Application::Memcached as u8 {
            let is_overlapping = self.turn.asked(send.at) && (head.len == 0 || memcached::may_be_command(head));
            return if is_overlapping { Inexact } else { Exact };
        }
        if application == Application::Unknown as u8 {
            self.looks += 1;
            if self.is(is::SERVER_FIRST) && self.looks == 1 {
                self.turn.excuse(send.at, send.len);
            }
            // Another request before the answer that tells what is spoken.
            let is_overlapping = self.is(is::UNTOLD)
                && self.turn.asked(send.at)
                && (head.len == 0 || memcached::may_be_command(head) || mysql::may_be_command(head, send.len));
            return if is_overlapping { Inexact } else { Exact };
        }
        if !self.turn.asked(send.at) {
            if application::sets_up(application, message, head, send.len) {
                self.turn.excuse(send.at, send.len);
            } else {
                self.traits |= is::COMMANDED;
            }
        }
        Exact
    }

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

    /// What an application uploads asks nothing, nor does the rest of it, until an answer was read.
    #[inline(always)]
    fn begin_upload(&mut self, send: Send) {
        self.turn.excuse(send.at, send.len);
        self.traits |= is::UPLOADING;
    }

    /// Something was read: what was uploaded before it is through.
    #[inline(always)]
    pub fn end_upload(&mut self) {
        if self.is(is::UPLOADING) {
            self.traits &= !is::UPLOADING;
            self.more |= postgresql::UPLOADED;
        }
    }

    /// The connection has ended, and all of its last answer was read: whether that was one.
    #[inline(always)]
    pub fn end(&self) -> Exactness {
        if self.protocol != Protocol::Tls as u8 {
            return Exact;
        }
        let is_doubtful = self.is(is::ASKED) && (self.answer_is_too_short() || self.answer_may_be_tickets());
        if is_doubtful || self.may_have_asked() { Inexact } else { Exact }
    }

    /// A proxy is asked for a tunnel: what is spoken through it, the first send after the answer tells.
    #[inline(always)]
    fn begin_tunnel(&mut self, message: &mut impl Message, head: Head, send: Send) -> Exactness {
        if http1::is_connect(head) {
            let target = target::of_connect(message);
            message.note_target(target);
        }
        self.protocol = Protocol::Unknown as u8;
        self.application = Application::Unknown as u8;
        self.traits |= is::TUNNEL;
        self.turn.excuse(send.at, send.len);
        Exact
    }

    #[inline(always)]
    fn begin_http2(&mut self) -> Exactness {
        self.protocol = Protocol::Http2 as u8;
        self.application = Application::Http2 as u8;
        self.more = 0;
        Inexact
    }

    /// A send of HTTP/2 in the clear, on a connection that has asked nothing yet.
    #[inline(always)]
    fn hear_http2(&mut self, message: &mut impl Message, has_preface: bool, send: Send) {
        let sets_up = http2::sets_up(message, has_preface, send.len);
        self.more = if sets_up { http2::QUIET } else { 0 };
        if sets_up {
            self.turn.excuse(send.at, send.len);
        }
    }

    #[inline(always)]
    fn is(&self, traits: u32) -> bool {
        self.traits & traits != 0
    }
}
