//! The words that a client fills the sentences of advice with.

/// A client library, or the usual ones of a runtime for a protocol. None: it has nothing for that, or it is not known.
#[derive(Clone, Copy)]
pub(super) struct Client {
    /// "Let one process `make` many `requests`."
    pub(super) ask: &'static str,
    pub(super) asked: &'static str,
    /// "Read the `response` to its end."
    pub(super) answer: &'static str,
    /// How that is read to its end.
    pub(super) read: Option<&'static str>,
    /// Why a connection may have been closed after one exchange, the likeliest first.
    pub(super) causes: &'static str,
    /// "Raise" what, for a pool to keep more idle connections.
    pub(super) pool_size: &'static str,
    /// "Use one `client` for all requests."
    pub(super) shared: &'static str,
    /// What that is called here, or how it is had.
    pub(super) share: Option<&'static str>,
    /// How one process does what many did.
    pub(super) batch: &'static str,
    /// Where to look when the server closes each connection.
    pub(super) server_closes: &'static str,
    /// "Raise the server's" what, for it to keep idle connections longer.
    pub(super) server_timeout: &'static str,
    pub(super) idle: Idle,
}

/// What becomes of a connection over which nothing is sent, and the client's setting for that.
#[derive(Clone, Copy)]
pub(super) enum Idle {
    /// The client drops it after some time, or should, before others do.
    Dropped(Option<&'static str>),
    /// It is meant to stay, and these keep it open: "heartbeats".
    KeptBy(&'static str, Option<&'static str>),
}

/// Of which nothing is known.
pub(super) const ANY: Client = Client {
    ask: "make",
    asked: "requests",
    answer: "response",
    read: None,
    causes: "a response that is not read to its end; a client or session for each request; keep-alive switched off; a pool that is full",
    pool_size: "the number of idle connections that it keeps",
    shared: "client",
    share: None,
    batch: "batch the calls, or keep a client running",
    server_closes: "See whether the protocol or a setting of the server ends a connection after one request; with HTTP, look for 'Connection: close'",
    server_timeout: "keep-alive timeout",
    idle: Idle::Dropped(None),
};

/// Of which it is known that it does not speak HTTP.
pub(super) const OTHER: Client = Client {
    server_closes: "See in the server's log, and in its limits, why it ends connections so early",
    server_timeout: "idle timeout",
    ..ANY
};
