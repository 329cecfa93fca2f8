//! The ways in which a client makes its requests.

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mode {
    pub(crate) name: &'static str,
    /// Requests, all in all
    pub(crate) times: u64,
    /// Requests at a time; the next follow when all of these have their answers
    pub(crate) at_once: u64,
    /// Bytes of an answer's body
    pub(crate) body: u64,
    /// Whether the client reads them before it closes the body
    pub(crate) is_read: bool,
    /// Bytes of a request's body
    pub(crate) upload: u64,
    /// Whether they come in chunks, without their length being told before
    pub(crate) is_chunked: bool,
    pub(crate) server: Server,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// Leaves connections open
    Keeps,
    /// Closes what is idle; the client waits for that, half-way
    TimesOut,
    /// Answers with `Connection: close`
    Closes,
}

/// The server closes connections that are idle for so long. No client is so slow between two requests.
pub(crate) const IDLE_TIMEOUT_MS: u64 = 500;
pub(crate) const PAUSE_MS: u64 = 900;

/// How long the server takes for an answer where requests are made in parallel, so that they really are.
const DELAY_MS: u64 = 50;

const USUAL: Mode = Mode {
    name: "",
    times: 5,
    at_once: 1,
    body: 100,
    is_read: true,
    upload: 0,
    is_chunked: false,
    server: Server::Keeps,
};

pub(crate) const ALL: &[Mode] = &[
    Mode { name: "sequential", times: 10, ..USUAL },
    // Pools keep two, where they can be told.
    Mode { name: "parallel", times: 16, at_once: 8, ..USUAL },
    Mode { name: "undrained 100 B", is_read: false, ..USUAL },
    Mode { name: "undrained 20 KB", is_read: false, body: 20_000, ..USUAL },
    Mode { name: "undrained 2 MB", is_read: false, body: 2_000_000, ..USUAL },
    // A body that is smaller than any request's head.
    Mode { name: "upload 1 B", upload: 1, ..USUAL },
    Mode { name: "upload 300 KB", upload: 300_000, ..USUAL },
    Mode { name: "upload in chunks", upload: 300_000, is_chunked: true, ..USUAL },
    Mode { name: "server idle timeout", times: 4, server: Server::TimesOut, ..USUAL },
    Mode { name: "server closes", server: Server::Closes, ..USUAL },
];

impl Mode {
    /// What is asked for, and what the server is told to do about it.
    pub(crate) fn path(&self) -> String {
        let delay = if self.at_once > 1 { DELAY_MS } else { 0 };
        let close = u8::from(self.server == Server::Closes);
        format!("/?body={}&upload={}&delay={delay}&close={close}", self.body, self.upload)
    }
}
