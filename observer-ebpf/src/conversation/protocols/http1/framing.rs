//! A request's head: the headers that determine where the request ends.

use crate::conversation::{
    Cursor, Message,
    message::{GOES_ON, HIGH_BITS, bytes_equal, digits, first_set, near_line_feed, starts_with_any_case},
};

/// Number of lines in a head that are parsed. Browsers send about 20, and proxies add some.
const MAX_LINES: u32 = 64;

/// What a head says about the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// `Content-Length`.
    pub body: u64,
    /// Offset of the first byte after the head. 0 if the head's end was not found.
    pub end: u32,
    /// Bits of [`headers`].
    pub headers: u32,
}

/// Bits of [`Framing::headers`].
pub(super) mod headers {
    pub(in super::super) const LENGTH: u32 = 1;
    /// `Transfer-Encoding`: the body itself shows its end.
    pub(in super::super) const CHUNKED: u32 = 1 << 1;
    pub(in super::super) const EXPECT: u32 = 1 << 2;
    pub(in super::super) const UPGRADE: u32 = 1 << 3;
    pub(in super::super) const WEB_SOCKET: u32 = 1 << 4;
    pub(in super::super) const HTTP2: u32 = 1 << 5;
}

/// Parses a head line by line, from an offset of the prefix, which is `len` bytes long.
#[inline(always)]
pub fn framing(message: &mut impl Message, from: u32, len: u32) -> Framing {
    message.set_cursor(Cursor::default());
    let mut at = from;
    for _ in 0..MAX_LINES {
        at = message.next_line(at, len);
        if at == 0 {
            break;
        }
    }
    let Cursor { number: body, at: end, found: headers, .. } = message.cursor();
    Framing { body, end, headers }
}

/// Parses the line of a head at an offset of the prefix, which is `len` bytes long. Returns where the next line begins.
/// Returns 0 if it was the last line, and the cursor is after it, or if the line continues past the prefix.
#[inline(always)]
pub fn next_line(message: &mut impl Message, at: u32, len: u32) -> u32 {
    let mut feed = near_line_feed(message, at, len);
    if feed & GOES_ON != 0 {
        feed = message.line_feed(feed & !GOES_ON, len);
    }
    if feed >= len {
        return 0;
    }
    if feed <= at + 1 {
        // An empty line, with or without a carriage return.
        let cursor = message.cursor();
        message.set_cursor(Cursor { at: feed + 1, ..cursor });
        return 0;
    }
    if is_relevant(message.word_at(at)) {
        message.parse_header(at);
    }
    feed + 1
}

/// Whether a line that begins like this must be parsed. Most lines need no parsing.
#[inline(always)]
fn is_relevant(name: u64) -> bool {
    starts_with_any_case(name, b"cont")
        || starts_with_any_case(name, b"tran")
        || starts_with_any_case(name, b"expe")
        || starts_with_any_case(name, b"upgr")
}

/// Parses the header line at an offset of the prefix, and notes what it says.
#[inline(always)]
pub fn parse_header(message: &mut impl Message, at: u32) {
    let name = message.word_at(at);
    if starts_with_any_case(name, b"content-") && starts_with_any_case(message.word_at(at + 8), b"length:") {
        let number = number(message, at + 15);
        let cursor = message.cursor();
        message.set_cursor(Cursor { number, found: cursor.found | headers::LENGTH, ..cursor });
        return;
    }
    let headers = if starts_with_any_case(name, b"transfer") && starts_with_any_case(message.word_at(at + 8), b"-encod")
    {
        headers::CHUNKED
    } else if starts_with_any_case(name, b"expect:") {
        headers::EXPECT
    } else if starts_with_any_case(name, b"upgrade:") {
        let to = message.word_at(at + 8);
        let is_web_socket = starts_with_any_case(to, b" websock") || starts_with_any_case(to, b"websocke");
        let is_http2 = starts_with_any_case(to, b" h2c") || starts_with_any_case(to, b"h2c");
        headers::UPGRADE
            | if is_web_socket { headers::WEB_SOCKET } else { 0 }
            | if is_http2 { headers::HTTP2 } else { 0 }
    } else {
        0
    };
    let cursor = message.cursor();
    message.set_cursor(Cursor { found: cursor.found | headers, ..cursor });
}

/// Parses a number after spaces, of up to 16 digits, which no client exceeds.
#[inline(always)]
fn number(message: &mut impl Message, from: u32) -> u64 {
    let spaces = first_set(!bytes_equal(message.word_at(from), b' ') & HIGH_BITS);
    let from = message.opaque(from + spaces);
    let (high, more) = digits(message.word_at(from));
    if more < 8 {
        return message.opaque_long(high);
    }
    let (low, more) = digits(message.word_at(from + 8));
    let mut number = message.opaque_long(high);
    for step in [1, 2, 4, 8] {
        if more & step != 0 {
            number = message.opaque_long(number * 10_u64.pow(step));
        }
    }
    number + low
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::Sent;

    fn framed(text: &str) -> (u32, u64, u32) {
        let mut sent = Sent::new(text.as_bytes());
        let prefix_len = sent.prefix().unwrap_or(0);
        let Framing { body, end, headers } = framing(&mut sent, 0, prefix_len);
        (end, body, headers)
    }

    #[test]
    fn head_tells_where_the_request_ends() {
        let get = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        assert_eq!(framed(get), (get.len() as u32, 0, 0));
        assert_eq!(framed(&format!("{get}{get}")), (get.len() as u32, 0, 0));
        let post =
            "POST / HTTP/1.1\r\ncontent-LENGTH:  12345678901\r\nContent-Type: a/b\r\nExpect: 100-continue\r\n\r\n";
        assert_eq!(
            framed(&format!("{post}body")),
            (post.len() as u32, 12_345_678_901, headers::LENGTH | headers::EXPECT)
        );
        let bare = "PUT /x HTTP/1.1\nTransfer-Encoding: chunked\nUpgrade-Insecure-Requests: 1\n\n";
        assert_eq!(framed(bare), (bare.len() as u32, 0, headers::CHUNKED));
        let upgrade = "GET /x HTTP/1.1\r\nUPGRADE: websocket\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(
            framed(upgrade),
            (upgrade.len() as u32, 0, headers::LENGTH | headers::UPGRADE | headers::WEB_SOCKET)
        );
        for length in [0, 7, 10, 12_345_678, 123_456_789, 3 << 30, 9_999_999_999_999_999] {
            assert_eq!(framed(&format!("PUT / HTTP/1.1\r\nContent-Length:{length}\r\n\r\n")).1, length);
        }
        assert_eq!(framed("GET / HTTP/1.1\r\nHost: loc").0, 0, "a head in pieces");
        for cut in 0..upgrade.len() {
            assert_eq!(framed(&upgrade[..cut]).0, 0, "{cut}");
        }
        let long = format!("GET / HTTP/1.1\r\nCookie: {}\r\n\r\n", "x".repeat(3000));
        assert_eq!(framed(&long).0, 0);
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(60));
        assert_eq!(framed(&many).0, many.len() as u32);
    }
}
