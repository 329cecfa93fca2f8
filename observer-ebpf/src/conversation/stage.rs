//! The stages of inspecting a send, and their order.

use super::{
    Application, Conversation, Message, Protocol, Send,
    exactness::Exactness::{self, Exact},
    traits,
};

/// Which stage inspects a send: see [`Conversation::stage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The protocol is not identified yet, or needs no inspection.
    Unknown,
    /// During the TLS handshake.
    Handshake,
    /// After it.
    Tls,
    Http1,
    Other,
}

impl Stage {
    /// Whether a send may open another protocol.
    #[inline(always)]
    #[must_use]
    pub fn may_open(self) -> bool {
        matches!(self, Self::Unknown | Self::Other)
    }
}

/// The stages that inspect a send. The kernel side has each verified separately, because together the verifier would
/// walk each one once for every path through the others.
pub trait Stages {
    /// The stage that the conversation is in.
    fn stage(&self) -> Stage;

    /// See [`Conversation::inspect_opening`].
    fn inspect_opening(&mut self) -> Exactness;

    /// See [`Conversation::inspect_handshake`].
    fn inspect_handshake(&mut self) -> Exactness;

    /// See [`Conversation::inspect_tls`].
    fn inspect_tls(&mut self) -> Exactness;

    /// See [`Conversation::inspect_http1`].
    fn inspect_http1(&mut self) -> Exactness;

    /// See [`Conversation::inspect_other`].
    fn inspect_other(&mut self) -> Exactness;
}

/// Inspects a send whose head was loaded, stage by stage.
#[inline(always)]
pub fn run_stages(stages: &mut impl Stages) -> Exactness {
    let (mut stage, mut exactness) = (stages.stage(), Exact);
    if stage.may_open() {
        exactness = stages.inspect_opening();
        stage = stages.stage();
    }
    if stage == Stage::Handshake {
        exactness = exactness.and(stages.inspect_handshake());
        stage = stages.stage();
    }
    exactness.and(match stage {
        Stage::Unknown | Stage::Handshake => Exact,
        Stage::Tls => stages.inspect_tls(),
        Stage::Http1 => stages.inspect_http1(),
        Stage::Other => stages.inspect_other(),
    })
}

/// All stages in one function.
struct Unsplit<'a, M> {
    conversation: &'a mut Conversation,
    message: &'a mut M,
    send: Send,
}

impl<M: Message> Stages for Unsplit<'_, M> {
    fn stage(&self) -> Stage {
        self.conversation.stage()
    }

    fn inspect_opening(&mut self) -> Exactness {
        self.conversation.inspect_opening(self.message, &mut self.send)
    }

    fn inspect_handshake(&mut self) -> Exactness {
        self.conversation.inspect_handshake(self.message, &mut self.send)
    }

    fn inspect_tls(&mut self) -> Exactness {
        self.conversation.inspect_tls(self.message, self.send)
    }

    fn inspect_http1(&mut self) -> Exactness {
        self.conversation.inspect_http1(self.message, self.send)
    }

    fn inspect_other(&mut self) -> Exactness {
        self.conversation.inspect_other(self.message, self.send)
    }
}

impl Conversation {
    /// Inspects a send at its start. The previous answer has been counted by now.
    #[inline(always)]
    pub fn inspect(&mut self, message: &mut impl Message, send: Send) -> Exactness {
        let _ = message.head(0);
        run_stages(&mut Unsplit { conversation: self, message, send })
    }

    /// Which stage inspects a send.
    #[inline(always)]
    #[must_use]
    pub fn stage(&self) -> Stage {
        if self.protocol == Protocol::Tls as u8 {
            if self.has(traits::FINISHED) { Stage::Tls } else { Stage::Handshake }
        } else if self.protocol != Protocol::Plain as u8 {
            Stage::Unknown
        } else if self.application == Application::Http1 as u8 {
            Stage::Http1
        } else {
            Stage::Other
        }
    }
}
