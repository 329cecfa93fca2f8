//! The words of a client library, which complete the sentences of advice.

/// A client library, or the usual libraries of a runtime for a protocol. None: no such thing, or unknown.
#[derive(Clone, Copy)]
pub(super) struct Client {
    /// "Let one process `make` many `requests`."
    pub(super) ask: &'static str,
    pub(super) asked: &'static str,
    /// "Read the `response` to its end."
    pub(super) answer: &'static str,
    /// How to read it to its end.
    pub(super) read: Option<&'static str>,
    /// Reasons to close a connection after one exchange, the likeliest first.
    pub(super) causes: &'static str,
    /// "Raise" this setting, so the pool keeps more idle connections.
    pub(super) pool_size: &'static str,
    /// "Use one `client` for all requests."
    pub(super) shared: &'static str,
    /// What the client is called here, or how to get one.
    pub(super) share: Option<&'static str>,
    /// How one process does the work of many.
    pub(super) batch: &'static str,
    /// Where to look if the server closes each connection.
    pub(super) server_closes: &'static str,
    /// "Raise the server's" setting, so it keeps idle connections longer.
    pub(super) server_timeout: &'static str,
    pub(super) idle: Idle,
}

/// What the client does with an idle connection, and the setting for it.
#[derive(Clone, Copy)]
pub(super) enum Idle {
    /// Drops it after a timeout, or should, before the server or a middlebox does.
    Dropped(Option<&'static str>),
    /// Keeps it open by sending these: "heartbeats".
    KeptBy(&'static str, Option<&'static str>),
}

/// An unknown client.
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

/// A client that does not speak HTTP.
pub(super) const OTHER: Client = Client {
    server_closes: "See in the server's log, and in its limits, why it ends connections so early",
    server_timeout: "idle timeout",
    ..ANY
};
