//! CONNECT.

use crate::conversation::{
    Application, Conversation,
    Exactness::{self, Exact},
    Head, Message, Protocol, Send, target, traits,
};

/// Whether it asks a proxy for a tunnel: by a host's name or address, which NATS's `CONNECT {` is not.
#[inline(always)]
pub(in crate::conversation) fn is_connect(head: Head) -> bool {
    head.starts_with(b"CONNECT ") && !matches!(head.byte(8), b'{' | b' ' | b'\r' | b'\n')
}

impl Conversation {
    /// A proxy is asked for a tunnel: what is spoken through it, the first send after the answer tells.
    #[inline(always)]
    pub(in crate::conversation) fn begin_tunnel(
        &mut self,
        message: &mut impl Message,
        head: Head,
        send: Send,
    ) -> Exactness {
        if is_connect(head) {
            let target = target::of_connect(message);
            message.note_target(target);
        }
        self.protocol = Protocol::Unknown as u8;
        self.application = Application::Unknown as u8;
        self.traits |= traits::TUNNEL;
        self.turn.exclude(send.at, send.len);
        Exact
    }
}
