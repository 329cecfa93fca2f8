//! Stages.

use super::{
    Application, Conversation, Message, Protocol, Send,
    exactness::Exactness::{self, Exact},
    is,
};

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

impl Conversation {
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
}
