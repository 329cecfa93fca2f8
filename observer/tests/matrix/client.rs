//! The clients, each as a program comes with it.

use crate::{
    cell::Over,
    mode::{Mode, Server},
};

pub(crate) struct Client {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    /// What the program is told to be
    pub(crate) kind: &'static str,
    /// Whether it keeps connections to use them again
    pub(crate) keeps: bool,
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

/// Whether the client and the server speak it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Http2 {
    NotOffered,
    /// The client would, and the server does not
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
        keeps: false,
        http2: Http2::NotOffered,
    },
    keeping("Node fetch", Program::Node, "fetch", Http2::NotOffered),
    keeping("Python requests, Session", Program::Python, "session", Http2::NotOffered),
    Client {
        name: "Python requests, no Session",
        program: Program::Python,
        kind: "none",
        keeps: false,
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
    Client { name, program, kind, keeps: true, http2 }
}

impl Client {
    /// Whether a cell would mean nothing.
    pub(crate) fn leaves_out(&self, mode: &Mode, over: Over) -> bool {
        match (self.program, self.http2) {
            // curl reads what it is sent; --max-filesize and a closed pipe are failures.
            (Program::Curl, _) if !mode.is_read => true,
            // Go offers it by ALPN, which is TLS's; the others ask for an Upgrade in the clear.
            (Program::Go, Http2::NotChosen) if over == Over::Plain => true,
            // A connection is for all requests, as long as it lasts.
            (_, Http2::Chosen) => mode.server != Server::Keeps,
            // Who keeps no connection has none that is idle.
            _ => mode.server == Server::TimesOut && !self.keeps,
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
