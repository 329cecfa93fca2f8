//! HTTP/2 in the clear: which frames ask something, and how a connection is recognised if its start was not seen. RFC
//! 9113 sections 3.4, 4.1 and 6.

use crate::conversation::{Application, Conversation, Exactness, Head, Message, Protocol, Send};

/// Bit of [`Conversation::protocol_traits`]: the connection is in the clear and has asked nothing yet.
pub(in crate::conversation) const QUIET: u8 = 1;

const PREFACE_BYTES: u32 = 24;

/// Number of frames in one send that are inspected. A client opens with two or three.
const MAX_FRAMES: u32 = 6;

const PRIORITY: u8 = 2;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

/// Length 3, type 1, flags 1, stream id 4.
const FRAME_HEAD_BYTES: u32 = 9;
const HEADERS: u8 = 1;
const END_HEADERS: u8 = 4;

/// HTTP/2's connection preface, `PRI * HTTP/2.0` (RFC 9113 section 3.4).
#[inline(always)]
pub(in crate::conversation) fn is_preface(head: Head) -> bool {
    head.starts_with(b"PRI * HT")
}

/// Whether a request begins here: headers on a client's stream, which has an odd id.
#[inline(always)]
pub(in crate::conversation) fn is_frame(head: Head, len: u32) -> bool {
    let bytes = (head.words[0] >> 40) as u32;
    let stream = head.u32_at(5);
    head.len >= FRAME_HEAD_BYTES
        && bytes + FRAME_HEAD_BYTES <= len
        && bytes > 0
        && head.byte(3) == HEADERS
        && head.byte(4) & END_HEADERS != 0
        && stream & 1 == 1
        && stream >> 31 == 0
}

/// Whether a send of `len` bytes only sets up or maintains a connection: an optional preface, then frames that ask
/// nothing.
#[inline(always)]
pub(in crate::conversation) fn sets_up(message: &mut impl Message, has_preface: bool, len: u32) -> bool {
    let mut at = message.opaque(if has_preface { PREFACE_BYTES } else { 0 });
    for _ in 0..MAX_FRAMES {
        if at >= len {
            break;
        }
        let head = message.head(at);
        if !matches!(head.byte(3), PRIORITY | SETTINGS | PING | GOAWAY | WINDOW_UPDATE) {
            return false;
        }
        let bytes = (head.words[0] >> 40) as u32;
        at = message.opaque(at.wrapping_add(bytes + FRAME_HEAD_BYTES));
    }
    at == len
}

impl Conversation {
    #[inline(always)]
    pub(in crate::conversation) fn begin_http2(&mut self) -> Exactness {
        self.protocol = Protocol::Http2 as u8;
        self.application = Application::Http2 as u8;
        self.protocol_traits = 0;
        Exactness::Inexact
    }

    /// Inspects an HTTP/2 send in the clear, on a connection that has asked nothing yet.
    #[inline(always)]
    pub(in crate::conversation) fn inspect_http2(&mut self, message: &mut impl Message, has_preface: bool, send: Send) {
        let sets_up = sets_up(message, has_preface, send.len);
        self.protocol_traits = if sets_up { QUIET } else { 0 };
        if sets_up {
            self.turn.exclude(send.at, send.len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::Sent;

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS_FRAME: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64";
    const UPDATE: &[u8] = b"\0\0\x04\x08\0\0\0\0\0\x3f\0\0\0";
    const REQUEST: &[u8] = b"\0\0\x0e\x01\x05\0\0\0\x01\x82\x86\x84\x41\x09localhost";

    #[test]
    fn preface_asks_nothing_and_headers_ask() {
        let sets_up = |parts: &[&[u8]]| {
            let bytes = parts.concat();
            sets_up(&mut Sent::new(&bytes), parts[0] == PREFACE, bytes.len() as u32)
        };
        assert!(sets_up(&[PREFACE]) && sets_up(&[PREFACE, SETTINGS_FRAME, UPDATE]));
        assert!(sets_up(&[b"\0\0\0\x04\x01\0\0\0\0"]), "a settings acknowledgement");
        assert!(!sets_up(&[PREFACE, SETTINGS_FRAME, REQUEST]) && !sets_up(&[REQUEST]));
        assert!(!sets_up(&[SETTINGS_FRAME, &UPDATE[..7]]), "it continues in the next send");
    }

    use crate::conversation::fixture::head_of;

    #[test]
    fn client_headers_are_recognised() {
        let frame = b"\0\0\x0e\x01\x05\0\0\0\x0b\x82\x86\x84\x41\x09localhost";
        assert!(is_frame(head_of(frame), frame.len() as u32));
        assert!(!is_frame(head_of(frame), 12), "longer than the send");
        assert!(!is_frame(head_of(b"\0\0\x0e\x01\x05\0\0\0\x0a\x82"), 90), "a server's stream");
    }
}
