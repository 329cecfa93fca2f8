//! `CONNECT`: a tunnel through an HTTP proxy. RFC 9110 section 9.3.6.

use crate::conversation::{
    Application, Conversation,
    Exactness::{self, Exact},
    Head, Message, Protocol, Send, target, traits,
};

/// Whether this requests a tunnel, with a host name or an address. NATS's `CONNECT {` does not.
#[inline(always)]
pub(in crate::conversation) fn is_connect(head: Head) -> bool {
    head.starts_with(b"CONNECT ") && !matches!(head.byte(8), b'{' | b' ' | b'\r' | b'\n')
}

impl Conversation {
    /// Begins a tunnel. The first send after the proxy's answer identifies the protocol inside.
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
