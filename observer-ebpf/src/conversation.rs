//! What the sends of a connection mean: which of them ask something, and which only set it up or go on with what was
//! asked. With that, and [`Turn`], exchanges are counted.
//!
//! It is told from the first bytes of sends, and only where the protocol makes it necessary, and from those of the first
//! answer where they alone tell. What is not recognised is counted in turns, which are not called exact.
//!
//! Plain functions, built for the kernel and for the host alike. Every loop is bounded, as the verifier wants it.

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

/// The steps through a message that the kernel side has verified by themselves: what [`Message`] has of them.
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
    inspected_sends: u8,
    /// Bits that each protocol has of its own.
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

    /// Whether each turn of it is known to be a request with its answer.
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

    /// What an application uploads asks nothing, nor does the rest of it, until an answer was read.
    #[inline(always)]
    fn begin_upload(&mut self, send: Send) {
        self.turn.exclude(send.at, send.len);
        self.traits |= traits::UPLOADING;
    }

    /// Something was read: what was uploaded before it is through.
    #[inline(always)]
    pub fn end_upload(&mut self) {
        if self.has(traits::UPLOADING) {
            self.traits &= !traits::UPLOADING;
            self.protocol_traits |= postgresql::UPLOADED;
        }
    }

    /// The connection has ended, and all of its last answer was read: whether that was one.
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
