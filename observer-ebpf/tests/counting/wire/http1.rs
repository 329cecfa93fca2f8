//! HTTP/1 requests and answers.

use proptest::prelude::*;
use tcp_reuse_watch_ebpf::PREFIX_BYTES;

use super::text::Text;

pub(crate) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
pub(crate) const SWITCHING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n";

/// How a request marks its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Nothing,
    Length,
    /// Chunks of about this many bytes.
    Chunks(u8),
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) framing: Framing,
    pub(crate) body: Text,
    pub(crate) body_bytes: usize,
    /// Number of optional header lines, and the length of one long line.
    pub(crate) lines: usize,
    pub(crate) cookie_bytes: usize,
}

const WITHOUT_BODY: &[&str] = &["GET", "GET", "HEAD", "OPTIONS", "DELETE", "PURGE", "M-SEARCH", "BASELINE-CONTROL"];
const WITH_BODY: &[&str] = &["POST", "PUT", "PATCH", "PROPFIND", "REPORT"];

impl Request {
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        prop_oneof![Self::without_body(), Self::with_body()]
    }

    pub(crate) fn without_body() -> impl Strategy<Value = Self> {
        let method = prop::sample::select(WITHOUT_BODY);
        (method, 0..20_usize, Self::cookie_bytes()).prop_map(|(method, lines, cookie_bytes)| Self {
            method,
            framing: Framing::Nothing,
            body: Text::Prose,
            body_bytes: 0,
            lines,
            cookie_bytes,
        })
    }

    pub(crate) fn with_body() -> impl Strategy<Value = Self> {
        let framing = prop_oneof![2 => Just(Framing::Length), 1 => (10..200_u8).prop_map(Framing::Chunks)];
        let body = (Text::any(), 1..3000_usize);
        (prop::sample::select(WITH_BODY), framing, body, 0..20_usize, Self::cookie_bytes()).prop_map(
            |(method, framing, (body, body_bytes), lines, cookie_bytes)| Self {
                method,
                framing,
                body,
                body_bytes,
                lines,
                cookie_bytes,
            },
        )
    }

    fn cookie_bytes() -> impl Strategy<Value = usize> {
        prop_oneof![8 => 0..200_usize, 1 => 2000..4000_usize]
    }

    /// The same with a head that the kernel side sees whole, if sent in one piece.
    pub(crate) fn seen_whole(self) -> Self {
        Self { cookie_bytes: self.cookie_bytes % 200, ..self }
    }

    pub(crate) fn is_seen_whole(&self) -> bool {
        self.cookie_bytes < 200 && self.head(&"x".repeat(200)).len() <= PREFIX_BYTES
    }

    pub(crate) fn is_chunked(&self) -> bool {
        matches!(self.framing, Framing::Chunks(_))
    }

    /// The head, with an extra line unless it is empty.
    pub(crate) fn head(&self, line: &str) -> Vec<u8> {
        let target = match self.method {
            "OPTIONS" | "M-SEARCH" => "*",
            "PURGE" => "http://example.org/page",
            _ => "/some/page?q=1",
        };
        let mut head = format!("{} {target} HTTP/1.1\r\nHost: example.org\r\n", self.method);
        if self.cookie_bytes > 0 {
            head += "Cookie: ";
            head += &"c".repeat(self.cookie_bytes);
            head += "\r\n";
        }
        head += &"Accept: */*\r\n".repeat(self.lines);
        match self.framing {
            Framing::Nothing => {}
            Framing::Length => {
                head += "Content-Length: ";
                head += &self.body_bytes.to_string();
                head += "\r\n";
            }
            Framing::Chunks(_) => head += "Transfer-Encoding: chunked\r\n",
        }
        (head + line + "\r\n").into_bytes()
    }

    /// The bytes after the head.
    pub(crate) fn body(&self) -> Vec<u8> {
        let body = self.body.bytes(self.body_bytes);
        match self.framing {
            Framing::Nothing => Vec::new(),
            Framing::Length => body,
            Framing::Chunks(bytes) => chunked(&body, bytes.into()),
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        [self.head(""), self.body()].concat()
    }
}

fn chunked(body: &[u8], bytes: usize) -> Vec<u8> {
    let mut chunks = Vec::new();
    for chunk in body.chunks(bytes) {
        chunks.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        chunks.extend(chunk);
        chunks.extend(b"\r\n");
    }
    chunks.extend(b"0\r\n\r\n");
    chunks
}

/// A final answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Text,
    pub(crate) body_bytes: usize,
}

impl Answer {
    /// No body looks like an answer. If the read of the head was skipped, such a body would be taken for an answer
    /// (docs/COUNTING.md).
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        let status = prop::sample::select(&[200, 204, 304, 404, 413, 503][..]);
        let body = Text::any().prop_map(|text| if text == Text::Answers { Text::Prose } else { text });
        (status, body, 0..2000_usize).prop_map(|(status, body, body_bytes)| Self { status, body, body_bytes })
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let has_body = self.status != 204 && self.status != 304;
        let body = self.body.bytes(if has_body { self.body_bytes } else { 0 });
        let head = format!("HTTP/1.1 {} Something\r\nContent-Length: {}\r\n\r\n", self.status, body.len());
        [head.into_bytes(), body].concat()
    }
}

/// A preliminary answer with preload hints (RFC 8297).
pub(crate) fn hints(links: usize) -> Vec<u8> {
    let links = "Link: </style.css>; rel=preload; as=style\r\n".repeat(links);
    format!("HTTP/1.1 103 Early Hints\r\n{links}\r\n").into_bytes()
}
