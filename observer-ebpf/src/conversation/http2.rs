//! HTTP/2 in the clear, of a connection whose beginning was not seen: by the head of a frame. RFC 9113 section 4.1.

use super::Head;

/// Length 3, type 1, flags 1, and the number of the stream.
const FRAME_HEAD_BYTES: u32 = 9;
const HEADERS: u8 = 1;
const END_HEADERS: u8 = 4;

/// Whether a request begins here: headers on a stream of the client's, whose numbers are odd.
#[inline(always)]
pub(super) fn is_frame(head: Head, len: u32) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::head_of;

    #[test]
    fn headers_of_a_client_are_told() {
        let frame = b"\0\0\x0e\x01\x05\0\0\0\x0b\x82\x86\x84\x41\x09localhost";
        assert!(is_frame(head_of(frame), frame.len() as u32));
        assert!(!is_frame(head_of(frame), 12), "longer than what is sent");
        assert!(!is_frame(head_of(b"\0\0\x0e\x01\x05\0\0\0\x0a\x82"), 90), "a server's stream");
    }
}
