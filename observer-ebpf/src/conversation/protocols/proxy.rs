//! The PROXY protocol: a header in which a balancer names its client, before any payload. HAProxy's
//! doc/proxy-protocol.txt.

use crate::conversation::{Head, Message};

/// The signature of version 2, and the length of its header before the addresses.
const SIGNATURE: &[u8; 8] = b"\r\n\r\n\0\r\nQ";
const REST_OF_SIGNATURE: &[u8; 4] = b"UIT\n";
const HEADER_BYTES: u32 = 16;

/// The longest line of version 1, including its end.
const MAX_LINE_BYTES: u32 = 107;

/// Length of the header at the start of the message. 0 if there is none.
#[inline(always)]
pub(in crate::conversation) fn header_bytes(message: &mut impl Message, head: Head) -> u32 {
    if head.has(0, SIGNATURE) && head.has(8, REST_OF_SIGNATURE) && head.byte(12) >> 4 == 2 {
        return HEADER_BYTES + head.u16_at(14);
    }
    if head.has(0, b"PROXY ") && (head.has(6, b"TCP") || head.has(6, b"UNKNOWN")) {
        return line_bytes(message);
    }
    0
}

/// Length of the first line, if it ends early enough.
#[inline(always)]
fn line_bytes(message: &mut impl Message) -> u32 {
    let prefix_len = message.prefix().unwrap_or(0);
    let feed = message.near_line_feed(0, prefix_len);
    if feed < prefix_len && feed < MAX_LINE_BYTES { feed + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::{Sent, head_of};

    fn header(bytes: &[u8]) -> u32 {
        header_bytes(&mut Sent::new(bytes), head_of(bytes))
    }

    #[test]
    fn headers_are_measured() {
        let line = b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n";
        assert_eq!(header(line), line.len() as u32);
        assert_eq!(header(&[line.as_slice(), b"\x16\x03\x01\x02\0\x01"].concat()), line.len() as u32);
        assert_eq!(header(b"PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n"), 15);
        let binary = [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".as_slice(), &[9; 12], b"GET /"].concat();
        assert_eq!(header(&binary), 28);
        assert_eq!(header(b"PROXY me to there\r\n"), 0);
        assert_eq!(header(&[b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat()), 0);
    }
}
