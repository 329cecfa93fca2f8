//! Request bodies, including some that look like requests.

use proptest::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    Prose,
    Base64,
    Fasta,
    Sql,
    /// A shipped log of requests.
    Requests,
    /// An HTTP answer, as in a web archive.
    Answers,
    Binary,
}

impl Text {
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        use Text::{Answers, Base64, Binary, Fasta, Prose, Requests, Sql};
        prop::sample::select(&[Prose, Base64, Fasta, Sql, Requests, Answers, Binary][..])
    }

    /// This many bytes of it.
    pub(crate) fn bytes(self, len: usize) -> Vec<u8> {
        let line: &[u8] = match self {
            Self::Prose => b"it was a dark and stormy night\r\n",
            Self::Base64 => b"TWFuIGlzIGRpc3Rpbmd1aXNoZWQsIG5vdCBvbmx5IGJ5IGhpcyByZWFzb24s\r\n",
            Self::Fasta => b"ACGTTGCAACGTTGCAACGTTGCAACGTTGCAACGTTGCA\n",
            Self::Sql => b"SELECT * FROM t;\nDELETE FROM t;\n",
            Self::Requests => b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n",
            Self::Answers => b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n",
            Self::Binary => b"\0\x01\xff\x16\x03\x03\0\x05*2\r\n$3\r\n",
        };
        line.iter().copied().cycle().take(len).collect()
    }
}
