//! TLS: the client's records, from its hello to its data. RFC 8446 (1.3), RFC 5246 (1.2), RFC 7301 (ALPN).
//!
//! Only plaintext is read: record headers, and the hello's extensions, which show whether HTTP was offered. Where it
//! was offered, and only there, the size of data decides whether it asks.

mod data;
mod handshake;
mod hello;
mod record;
mod tickets;

use crate::conversation::{Application, Conversation, Head, Message, Protocol, Send, TARGET_UNCLEAR, traits};
pub use hello::{next_extension, next_name};
use record::APPLICATION_DATA;
pub(in crate::conversation) use record::{is_hello, is_record};

impl Conversation {
    #[inline(always)]
    pub(in crate::conversation) fn begin_tls(&mut self, message: &mut impl Message, head: Head, send: Send) {
        self.protocol = Protocol::Tls as u8;
        self.application = Application::Unknown as u8;
        self.frame_end = send.at;
        self.protocol_traits = 0;
        self.turn.restart_answer();
        if head.byte(0) == APPLICATION_DATA && !send.is_first() {
            // First seen in the middle of the connection, after the server name was sent.
            self.traits |= traits::FINISHED;
            message.note_target(TARGET_UNCLEAR);
        }
    }
}
