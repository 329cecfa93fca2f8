//! The clients of the matrix, with their default settings where possible.

use crate::{
    cell::Transport,
    mode::{Mode, ServerPolicy},
};

pub(crate) struct Client {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    /// The argument that selects this client of the program.
    pub(crate) kind: &'static str,
    /// Whether it keeps connections for reuse.
    pub(crate) keeps_connections: bool,
    pub(crate) http2: Http2,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Curl,
    Go,
    Java,
    Node,
    Python,
}

/// Whether client and server negotiate HTTP/2.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Http2 {
    NotOffered,
    /// The client offers it, and the server does not accept it.
    NotChosen,
    Chosen,
}

pub(crate) const ALL: &[Client] = &[
    keeping("Go net/http", Program::Go, "http1", Http2::NotOffered),
    keeping("Node http, keepAlive: true", Program::Node, "keep-alive", Http2::NotOffered),
    Client {
        name: "Node http, keepAlive: false",
        program: Program::Node,
        kind: "close",
        keeps_connections: false,
        http2: Http2::NotOffered,
    },
    keeping("Node fetch", Program::Node, "fetch", Http2::NotOffered),
    keeping("Python requests, Session", Program::Python, "session", Http2::NotOffered),
    Client {
        name: "Python requests, no Session",
        program: Program::Python,
        kind: "none",
        keeps_connections: false,
        http2: Http2::NotOffered,
    },
    keeping("Java HttpClient, HTTP_1_1", Program::Java, "http1", Http2::NotOffered),
    keeping("Java HttpURLConnection", Program::Java, "url", Http2::NotOffered),
    keeping("curl --http1.1", Program::Curl, "--http1.1", Http2::NotOffered),
    keeping("Go net/http", Program::Go, "http2", Http2::NotChosen),
    keeping("Java HttpClient", Program::Java, "http2", Http2::NotChosen),
    keeping("curl", Program::Curl, "--http2", Http2::NotChosen),
    keeping("Go net/http", Program::Go, "http2", Http2::Chosen),
    keeping("Node http2", Program::Node, "http2", Http2::Chosen),
    keeping("Java HttpClient", Program::Java, "http2", Http2::Chosen),
    keeping("curl", Program::Curl, "--http2", Http2::Chosen),
];

const fn keeping(name: &'static str, program: Program, kind: &'static str, http2: Http2) -> Client {
    Client { name, program, kind, keeps_connections: true, http2 }
}

impl Client {
    /// Whether this client has no meaningful cell for a mode and transport.
    pub(crate) fn excludes(&self, mode: &Mode, transport: Transport) -> bool {
        match (self.program, self.http2) {
            // curl always reads the body; --max-filesize and a closed pipe are failures.
            (Program::Curl, _) if !mode.is_read => true,
            // Go offers HTTP/2 only by ALPN, within TLS; the others send an Upgrade header in the clear.
            (Program::Go, Http2::NotChosen) if transport == Transport::Plain => true,
            // One connection carries all requests as long as the server keeps it open.
            (_, Http2::Chosen) => mode.server != ServerPolicy::KeepsOpen,
            // A client that keeps no connections has no idle ones.
            _ => mode.server == ServerPolicy::TimesOut && !self.keeps_connections,
        }
    }
}

impl Http2 {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::NotOffered => "HTTP/1.1",
            Self::NotChosen => "HTTP/2 offered, HTTP/1.1 chosen",
            Self::Chosen => "HTTP/2 chosen: connections are compared, requests are not",
        }
    }
}
