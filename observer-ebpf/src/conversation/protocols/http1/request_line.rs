//! Recognition of request lines.

use crate::conversation::{
    Head, Message,
    message::{bytes_equal, bytes_within, first_set},
};

/// Whether a request begins here, with a common method and a plausible target. Reliable enough to identify a connection
/// as HTTP.
#[inline(always)]
pub(in crate::conversation) fn is_request(head: Head) -> bool {
    let target = if head.starts_with(b"GET ") || head.starts_with(b"PUT ") {
        head.byte(4)
    } else if head.starts_with(b"POST ")
        || head.starts_with(b"HEAD ")
        || head.starts_with(b"COPY ")
        || head.starts_with(b"MOVE ")
        || head.starts_with(b"LOCK ")
    {
        head.byte(5)
    } else if head.starts_with(b"PATCH ") || head.starts_with(b"TRACE ") || head.starts_with(b"MKCOL ") {
        head.byte(6)
    } else if head.starts_with(b"DELETE ") || head.starts_with(b"REPORT ") || head.starts_with(b"SEARCH ") {
        head.byte(7)
    } else if head.starts_with(b"OPTIONS ") {
        head.byte(8)
    } else if head.starts_with(b"PROPFIND") {
        head.byte(9)
    } else if head.starts_with(b"PROPPATC") {
        head.byte(10)
    } else {
        return false;
    };
    // A path, an absolute URI or `*`. 0 at the buffer's end.
    matches!(target, b'/' | b'h' | b'H' | b'*' | 0)
}

/// Whether the first bytes are a request line.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestLine {
    Request,
    /// Too few bytes to decide: only a method, as from a client that writes the line in pieces.
    Unclear,
    Other,
}

/// Classifies the last head. A request line has any method (`PURGE`, `M-SEARCH`), a space and a plausible target,
/// followed by nothing but the version.
#[inline(always)]
pub fn request_line(message: &mut impl Message) -> RequestLine {
    let head = message.last_head();
    // An empty line before the request is ignored (RFC 9112 section 2.2).
    let skipped = message.opaque(if head.starts_with(b"\r\n") { 2 } else { 0 });
    let space = message.opaque(first_index(head, skipped, |word| !method_bytes(word)));
    let behind = message.opaque(first_index(head, space + 1, |word| bytes_equal(word, b' ')));
    if space == skipped || space < head.len && byte_at(head, space) != b' ' {
        return RequestLine::Other;
    }
    if space >= head.len {
        return RequestLine::Unclear;
    }
    let target = message.opaque(u32::from(byte_at(head, space + 1))) as u8;
    let is_target = match target {
        // At the end of the piece.
        0 => space + 1 >= head.len,
        b'/' | b'h' | b'H' => true,
        b'*' => behind == space + 2 || space + 2 >= head.len,
        _ => false,
    };
    let has_version = behind + 1 >= head.len || byte_at(head, behind + 1) == b'H';
    if is_target && has_version { RequestLine::Request } else { RequestLine::Other }
}

/// Whether a connection that is not known to be HTTP begins with a request.
#[inline(always)]
pub(in crate::conversation) fn may_be_request(message: &mut impl Message) -> bool {
    message.request_line() == RequestLine::Request
}

/// The high bits of the bytes that can occur in a method: capitals and dashes.
#[inline(always)]
fn method_bytes(word: u64) -> u64 {
    bytes_within(word, b'A', b'Z') | bytes_equal(word, b'-')
}

/// Index of the first byte from `from` on for which `bits` sets the high bit. 32 if there is none.
#[inline(always)]
fn first_index(head: Head, from: u32, bits: impl Fn(u64) -> u64) -> u32 {
    let mut index = 0;
    while index < head.words.len() as u32 {
        let begin = index * 8;
        let mut found = bits(head.words[index as usize]) & 0x8080_8080_8080_8080;
        if from > begin {
            let behind = from - begin;
            found = if behind >= 8 { 0 } else { found & (u64::MAX >> (8 * behind)) };
        }
        if found != 0 {
            return begin + first_set(found);
        }
        index += 1;
    }
    32
}

/// A byte of the head at an index not known at compile time. 0 past the end.
#[inline(always)]
fn byte_at(head: Head, index: u32) -> u8 {
    let word = match index / 8 {
        0 => head.words[0],
        1 => head.words[1],
        2 => head.words[2],
        3 => head.words[3],
        _ => 0,
    };
    (word >> (56 - 8 * (index % 8))) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::Sent;

    fn of_line(bytes: &[u8]) -> RequestLine {
        let mut sent = Sent::new(bytes);
        let _ = sent.head(0);
        request_line(&mut sent)
    }

    fn is_line(bytes: &[u8]) -> bool {
        of_line(bytes) == RequestLine::Request
    }

    #[test]
    fn request_lines_are_recognised() {
        for text in [
            "GET / HTTP/1.1\r\n",
            "\r\nGET / HTTP/1.1",
            "PURGE /x HTTP/1.1\r\nHost: a",
            "M-SEARCH * HTTP/1.1\r\n",
            "BASELINE-CONTROL /abc/def/ghi/jkl HTTP/1.1",
            "GET http://example.org/ HTTP/1.1",
            "GET /a/long/path/that/goes/on/and/on HTTP/1.1",
            "GET ",
        ] {
            assert!(is_line(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn capitals_are_no_request() {
        for text in [
            "ACGTTGCAACGTTGCAACGTTGCAACGTTGCAACGT",
            "SELECT * FROM t WHERE a = 1",
            "INSERT INTO t VALUES (1)",
            "SELECT /* all */ * FROM t",
            "NAME,CITY\nsomebody,somewhere\n",
            ">SEQ1\nACGT",
            "FACE\r\nabcdefgh",
            "HELO there",
            "TWFuIGlzIGRpc3Rpbmd1aXNoZWQsIG5vdCBvbmx5",
            "",
        ] {
            assert!(!is_line(text.as_bytes()), "{text}");
        }
        assert!(of_line(b"ACGT") == RequestLine::Unclear && of_line(b"GET") == RequestLine::Unclear);
    }
}
