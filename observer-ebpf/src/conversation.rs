//! What the sends of a connection mean: which of them ask something, and which only set it up or go on with what was
//! asked. With that, and [`Turn`], exchanges are counted.
//!
//! It is told from the first bytes of a send, and only where the protocol makes it necessary: what is neither TLS nor
//! HTTP nor PostgreSQL is looked at once. Where it cannot be told, the connection is not exact, and says so.
//!
//! Plain functions, built for the kernel and for the host alike. Every loop is bounded, as the verifier wants it.

mod http;
mod postgresql;
mod socks;
mod tls;

use crate::Turn;

/// How many bytes are read at a time.
pub const HEAD_BYTES: usize = 8;

/// What a connection speaks, as far as its sends tell.
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
    /// Plain: each request begins with a method. TLS: HTTP/1 was offered (ALPN).
    pub(super) const HTTP: u16 = 1;
    pub(super) const POSTGRESQL: u16 = 1 << 1;
    /// The server spoke first (SMTP, MySQL): how much of what follows is set-up, it alone knows.
    pub(super) const SERVER_FIRST: u16 = 1 << 2;
    /// HTTP/2 was offered (ALPN); what was chosen, the server says, encrypted.
    pub(super) const HTTP2_OFFERED: u16 = 1 << 3;
    /// Its `ClientHello` was seen, with all its extensions.
    pub(super) const HELLO_SEEN: u16 = 1 << 4;
    /// The client has sent a change cipher spec.
    pub(super) const CIPHER_CHANGED: u16 = 1 << 5;
    /// TLS up to 1.2: the rest of the handshake is in records of its own type.
    pub(super) const TLS12: u16 = 1 << 6;
    /// The client's part of the handshake is over: what it sends now is data.
    pub(super) const FINISHED: u16 = 1 << 7;
    /// Asked a proxy for a tunnel: by CONNECT, by SOCKS.
    pub(super) const TUNNEL: u16 = 1 << 11;
    pub(super) const SOCKS: u16 = 1 << 12;
    /// TLS 1.2 with ChaCha20.
    pub(super) const CHACHA: u16 = 1 << 10;
    /// TLS 1.3 by Java, which pads its records.
    pub(super) const PADDED: u16 = 1 << 13;
    /// TLS: data has begun a turn.
    pub(super) const ASKED: u16 = 1 << 8;
    /// TLS 1.3: tickets may come with the first answer, as the client takes them, and they have not been seen yet.
    pub(super) const TICKETS_DUE: u16 = 1 << 9;
}

/// How much of a `ClientHello` is looked at: with keys that withstand quantum computers, one has up to 1,800 bytes. A
/// power of two.
pub const BEGINNING_BYTES: usize = 2048;

/// The first bytes of a message in one piece, and room behind them, so that [`HEAD_BYTES`] can be read at any of them.
pub type Beginning = [u8; BEGINNING_BYTES + HEAD_BYTES];

/// A send, as far as it can be read.
pub trait Message {
    /// The bytes from `offset` on. Fewer than [`HEAD_BYTES`] only where the message, or the buffer that they are in, ends;
    /// none where they cannot be read.
    fn head(&mut self, offset: u32) -> Head;

    /// Takes the beginning of the buffer that comes first in one piece, up to [`BEGINNING_BYTES`]: how many bytes of it
    /// there are.
    fn beginning(&mut self) -> Option<u32>;

    /// The bytes at an offset of what was taken, as in [`Head::word`]. Behind its end they may be anything.
    fn begins(&mut self, offset: u32) -> u64;

    /// The number itself. The kernel's verifier forgets here what it knows of it, and so takes each turn of a loop for
    /// the same.
    fn opaque(&mut self, number: u32) -> u32 {
        number
    }
}

/// The first bytes of something. (No Option of it: the verifier would see the bytes of None.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The first byte is the highest; those beyond `len` are 0.
    pub word: u64,
    pub len: u32,
}

impl Head {
    /// What cannot be read.
    pub const NONE: Self = Self { word: 0, len: 0 };

    #[inline(always)]
    fn byte(self, index: u32) -> u8 {
        byte(self.word, index)
    }

    /// Whether it begins with this text, of at most [`HEAD_BYTES`]. A comparison of numbers, as the kernel wants it.
    #[inline(always)]
    fn starts_with<const N: usize>(self, text: &[u8; N]) -> bool {
        let mut word = 0;
        let mut index = 0;
        while index < N {
            word = word << 8 | u64::from(text[index]);
            index += 1;
        }
        self.word >> (64 - 8 * N) == word
    }
}

/// A byte of a word, counted from the highest.
#[inline(always)]
fn byte(word: u64, index: u32) -> u8 {
    (word >> (56 - 8 * index)) as u8
}

/// Two bytes of a word.
#[inline(always)]
fn u16_of(word: u64, index: u32) -> u32 {
    u32::from((word >> (48 - 8 * index)) as u16)
}

/// Where a send begins, and what came before it. All but the length are sequence numbers, which wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// Its first byte.
    pub seq: u32,
    /// Its length. Never 0.
    pub len: u32,
    /// Bytes before it were written that no hook saw.
    pub after_unseen: bool,
    /// The first payload byte in each direction.
    pub first_sent: u32,
    pub first_received: u32,
    /// End of the payload that has come, and of what the application has consumed of it.
    pub received: u32,
    pub consumed: u32,
}

impl Send {
    /// Nothing was sent before it.
    #[inline(always)]
    fn is_first(&self) -> bool {
        self.seq == self.first_sent
    }

    #[inline(always)]
    fn has_read(&self) -> bool {
        self.consumed != self.first_received
    }

    #[inline(always)]
    fn has_unread(&self) -> bool {
        self.received != self.consumed
    }

    #[inline(always)]
    fn server_spoke(&self) -> bool {
        self.received != self.first_received
    }
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

#[repr(C)]
#[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    pub turn: Turn,
    /// Where the next TLS record begins, until the handshake is over.
    next_record: u32,
    /// Bits of [`is`].
    traits: u16,
    /// A [`Protocol`].
    pub protocol: u8,
    reserved: u8,
}

const _: () = assert!(size_of::<Conversation>() == 44);

impl Conversation {
    /// Before the handshake is through: sequence numbers count from 0.
    pub const EMPTY: Self =
        Self { turn: Turn::EMPTY, next_record: 0, traits: 0, protocol: Protocol::Unknown as u8, reserved: 0 };

    /// See [`Turn::begin`].
    #[inline(always)]
    pub fn begin(&mut self, first_sent: u32, first_received: u32) {
        self.turn.begin(first_sent, first_received);
        self.next_record = self.next_record.wrapping_add(first_sent);
    }

    /// See [`Turn::resumed`].
    #[inline(always)]
    #[must_use]
    pub fn resumed(written: u32, consumed: u32, is_pending: bool) -> Self {
        Self { turn: Turn::resumed(written, consumed, is_pending), ..Self::EMPTY }
    }

    /// Whether a send that begins at `seq` has to be heard at all.
    #[inline(always)]
    #[must_use]
    pub fn listens(&self, seq: u32) -> bool {
        if self.protocol != Protocol::Plain as u8 {
            return self.protocol != Protocol::Http2 as u8;
        }
        self.is(is::HTTP) || self.is(is::POSTGRESQL | is::SERVER_FIRST) && !self.turn.asked(seq)
    }

    /// A send begins. What was answered before it has been counted by then.
    #[inline(always)]
    pub fn hear(&mut self, message: &mut impl Message, send: Send) -> Exactness {
        let head = message.head(0);
        let mut exactness = Exact;
        if self.protocol != Protocol::Tls as u8 {
            exactness = if self.protocol == Protocol::Plain as u8 {
                self.hear_plain(head, send)
            } else {
                self.hear_first(head, send)
            };
        }
        // It may have become so just now.
        if self.protocol == Protocol::Tls as u8 {
            let is_inexact = message.opaque(u32::from(exactness == Inexact));
            exactness = self.hear_tls(head, message, send);
            if is_inexact != 0 {
                return Inexact;
            }
        }
        exactness
    }

    /// The first send tells what is spoken.
    #[inline(always)]
    fn hear_first(&mut self, head: Head, send: Send) -> Exactness {
        if head.len == 0 {
            // Whether it asks something cannot be told.
            return Inexact;
        }
        if tls::is_record(head) {
            self.begin_tls(head, send);
            return Exact;
        }
        if http::is_preface(head) {
            self.protocol = Protocol::Http2 as u8;
            return Inexact;
        }
        if http::is_connect(head) || self.is(is::TUNNEL) && !send.has_read() {
            // What is spoken through the tunnel, the first send after the answer tells.
            self.traits |= is::TUNNEL;
            self.turn.excuse(send.seq, send.len);
            return Exact;
        }
        if socks::is_setup(head, send.len, self.is(is::SOCKS)) {
            self.traits |= is::SOCKS;
            self.turn.excuse(send.seq, send.len);
            return Exact;
        }
        self.protocol = Protocol::Plain as u8;
        if http::is_request(head) {
            self.traits |= is::HTTP;
        } else if postgresql::is_start(head, send.len) {
            self.traits |= is::POSTGRESQL;
            self.turn.excuse(send.seq, send.len);
        } else if send.is_first() && send.server_spoke() {
            self.traits |= is::SERVER_FIRST;
            self.turn.excuse(send.seq, send.len);
            return Inexact;
        }
        Exact
    }

    #[inline(always)]
    fn hear_plain(&mut self, head: Head, send: Send) -> Exactness {
        if self.turn.asked(send.seq) {
            // More of a request; or one more before the answer.
            return if http::is_request(head) { Inexact } else { Exact };
        }
        if head.len == 0 {
            // Pages (sendfile): no client sends its request from a file.
            self.turn.excuse(send.seq, send.len);
            return Inexact;
        }
        if self.is(is::HTTP) {
            if http::is_preface(head) {
                self.protocol = Protocol::Http2 as u8;
                return Inexact;
            }
            if !http::may_begin_request(head) {
                // The rest of an upload whose answer came early ("100 Continue"), or a WebSocket's frame.
                self.turn.excuse(send.seq, send.len);
            }
            return Exact;
        }
        if tls::is_handshake(head) {
            // Within TLS the login goes on, unseen.
            self.begin_tls(head, send);
            return Inexact;
        }
        if self.is(is::POSTGRESQL) && (postgresql::is_start(head, send.len) || postgresql::is_login(head)) {
            self.turn.excuse(send.seq, send.len);
        }
        Exact
    }

    #[inline(always)]
    fn is(&self, traits: u16) -> bool {
        self.traits & traits != 0
    }
}
