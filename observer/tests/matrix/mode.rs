//! The ways in which a client makes its requests: how many, how many at a time, with which bodies.

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mode {
    pub(crate) name: &'static str,
    /// Requests in total.
    pub(crate) requests: u64,
    /// Requests at a time. The next round begins when all of these have their answers.
    pub(crate) concurrency: u64,
    /// Bytes of an answer's body.
    pub(crate) body: u64,
    /// Whether the client reads the body before it closes it.
    pub(crate) is_read: bool,
    /// Bytes of a request's body.
    pub(crate) upload: u64,
    /// Whether the request's body is sent in chunks, without `Content-Length`.
    pub(crate) is_chunked: bool,
    pub(crate) server: ServerPolicy,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerPolicy {
    /// Leaves connections open.
    KeepsOpen,
    /// Closes idle connections. The client pauses for that half-way through its requests.
    TimesOut,
    /// Answers with `Connection: close`.
    Closes,
}

/// The server's idle timeout. No client takes that long between two requests.
pub(crate) const IDLE_TIMEOUT_MS: u64 = 500;
pub(crate) const PAUSE_MS: u64 = 900;

/// How long the server delays its answers to parallel requests, which ensures that the requests overlap.
const DELAY_MS: u64 = 50;

const DEFAULT: Mode = Mode {
    name: "",
    requests: 5,
    concurrency: 1,
    body: 100,
    is_read: true,
    upload: 0,
    is_chunked: false,
    server: ServerPolicy::KeepsOpen,
};

pub(crate) const ALL: &[Mode] = &[
    Mode { name: "sequential", requests: 10, ..DEFAULT },
    // Clients whose pool size can be set keep two connections.
    Mode { name: "parallel", requests: 16, concurrency: 8, ..DEFAULT },
    Mode { name: "undrained 100 B", is_read: false, ..DEFAULT },
    Mode { name: "undrained 20 KB", is_read: false, body: 20_000, ..DEFAULT },
    Mode { name: "undrained 2 MB", is_read: false, body: 2_000_000, ..DEFAULT },
    // A body smaller than the head of any request.
    Mode { name: "upload 1 B", upload: 1, ..DEFAULT },
    Mode { name: "upload 300 KB", upload: 300_000, ..DEFAULT },
    Mode { name: "upload in chunks", upload: 300_000, is_chunked: true, ..DEFAULT },
    Mode { name: "server idle timeout", requests: 4, server: ServerPolicy::TimesOut, ..DEFAULT },
    Mode { name: "server closes", server: ServerPolicy::Closes, ..DEFAULT },
];

impl Mode {
    /// The path of a request, whose query tells the server how to answer.
    pub(crate) fn path(&self) -> String {
        let delay = if self.concurrency > 1 { DELAY_MS } else { 0 };
        let close = u8::from(self.server == ServerPolicy::Closes);
        format!("/?body={}&upload={}&delay={delay}&close={close}", self.body, self.upload)
    }
}
