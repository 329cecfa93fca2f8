//! Classifies a connection's sends: some ask something, some only set up the connection, and some continue an ask.
//! Together with [`Turn`] this counts exchanges.
//!
//! The first bytes of sends decide this. They are inspected only where the protocol requires it. Where sends are
//! ambiguous, the first bytes of the first answer decide. Unrecognised conversations are counted in turns and marked
//! inexact.
//!
//! The functions are plain and build for the kernel and the host. Every loop is bounded, as the verifier requires.

mod answer;
mod application;
mod exactness;
mod message;
mod opening;
mod protocols;
mod send;
mod stage;
mod target;
mod traits;
mod turn;

#[cfg(test)]
mod fixture;

pub use application::{Application, SEVERAL_APPLICATIONS};
pub use exactness::Exactness;
use exactness::Exactness::{Exact, Inexact};
pub use message::{Cursor, HEAD_BYTES, Head, Message, PREFIX_BYTES, Prefix, WORD_BYTES};
pub use protocols::http1::{Framing, RequestLine};
use protocols::postgresql;
pub use send::Send;
pub use stage::{Stage, Stages, run_stages};
pub use target::{NO_TARGET, TARGET_UNCLEAR};
pub use turn::{Chunk, Turn, consumed_bytes, written_bytes};

/// The parsing steps of [`Message`] that the kernel side has verified separately.
pub mod subprogram {
    pub use super::{
        application::recognise,
        message::{line_feed, near_line_feed},
        protocols::{
            http1::{framing, next_line, parse_header, request_line},
            postgresql::next_message as postgresql_message,
            redis::next_word as redis_word,
            sql::{is_setting, statement_end},
            tls::{next_extension as tls_extension, next_name as tls_name},
        },
        target::{goes_on as target_goes_on, next_word as target_word},
    };
}

/// How a connection's payload is wrapped, as far as its sends show.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Nothing was sent, or no sent byte could be seen.
    Unknown = 0,
    Plain = 1,
    Tls = 2,
    Http2 = 3,
}

#[repr(C)]
#[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    pub turn: Turn,
    /// TLS: where the next record begins, until the handshake ends. HTTP/1: where the request ends.
    frame_end: u64,
    /// Bits of [`traits`].
    traits: u32,
    /// A [`Protocol`].
    pub protocol: u8,
    /// An [`Application`].
    pub application: u8,
    /// Number of inspected sends that were not recognised.
    inspected_sends: u8,
    /// Further bits with a protocol-specific meaning.
    protocol_traits: u8,
}

const _: () = assert!(size_of::<Conversation>() == 72);

impl Conversation {
    pub const EMPTY: Self = Self {
        turn: Turn::EMPTY,
        frame_end: 0,
        traits: 0,
        protocol: Protocol::Unknown as u8,
        application: Application::Unknown as u8,
        inspected_sends: 0,
        protocol_traits: 0,
    };

    /// See [`Turn::resumed`].
    #[inline(always)]
    #[must_use]
    pub fn resumed(written: u64, consumed: u64, is_pending: bool) -> Self {
        Self { turn: Turn::resumed(written, consumed, is_pending), ..Self::EMPTY }
    }

    /// Whether each turn is known to be a request with its answer.
    #[inline(always)]
    #[must_use]
    pub fn is_recognised(&self) -> bool {
        if self.protocol == Protocol::Tls as u8 {
            return self.traits & (traits::HELLO_SEEN | traits::OTHER_OFFERED | traits::DOUBTFUL) == traits::HELLO_SEEN;
        }
        self.protocol == Protocol::Plain as u8
            && application::has_exact_turns(self.application)
            && !self.has(traits::UNIDENTIFIED)
    }

    /// Whether the server may end with bytes that answer nothing: a TLS alert, HTTP/2's GOAWAY, or the goodbye of an
    /// unrecognised protocol.
    #[inline(always)]
    #[must_use]
    pub fn may_say_goodbye(&self) -> bool {
        self.protocol != Protocol::Unknown as u8
            && (self.protocol != Protocol::Plain as u8 || !application::has_exact_turns(self.application))
    }

    /// Whether the bytes written up to here, unseen by any hook, may have asked nothing or more than once.
    #[inline(always)]
    #[must_use]
    pub fn is_doubtful(&self, written: u64) -> bool {
        let is_whole_body =
            self.application == Application::Http1 as u8 && !self.has(traits::OPEN_ENDED) && self.frame_end >= written;
        if self.turn.is_late() || self.turn.is_partly_unseen() && !is_whole_body {
            return true;
        }
        let is_sure = self.application == Application::Http1 as u8
            && !self.has(traits::OPEN_ENDED | traits::UPGRADED)
            && self.turn.seen_end() >= self.frame_end
            && written > self.frame_end
            || self.application == Application::Memcached as u8
            || self.application == Application::Redis as u8 && self.has(traits::PAST_SETUP);
        self.turn.is_unseen() && !is_sure
    }

    /// Starts an upload. It asks nothing, and neither does its rest until an answer is read.
    #[inline(always)]
    fn begin_upload(&mut self, send: Send) {
        self.turn.exclude(send.at, send.len);
        self.traits |= traits::UPLOADING;
    }

    /// Ends an upload, because an answer was read.
    #[inline(always)]
    pub fn end_upload(&mut self) {
        if self.has(traits::UPLOADING) {
            self.traits &= !traits::UPLOADING;
            self.protocol_traits |= postgresql::UPLOADED;
        }
    }

    /// The connection has ended with its last answer fully read. Returns whether that answer certainly was one.
    #[inline(always)]
    pub fn end(&self) -> Exactness {
        if self.protocol != Protocol::Tls as u8 {
            return Exact;
        }
        let is_doubtful = self.has(traits::ASKED) && (self.answer_is_too_short() || self.answer_may_be_tickets());
        if is_doubtful || self.may_have_asked() { Inexact } else { Exact }
    }

    #[inline(always)]
    fn has(&self, traits: u32) -> bool {
        self.traits & traits != 0
    }
}
