//! What diagnoses find. Names are a contract with JSON readers.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finding {
    ResponseNotRead,
    ClosedAfterResponse,
    PoolTooSmall,
    ClientPerRequest,
    ProcessPerRequest,
    ServerClosesEach,
    ServerIdleTimeout,
    ClientIdleTimeout,
    StaleConnection,
    RequestCap,
    MaxLifetime,
    PortExhaustion,
}

impl Finding {
    pub const ALL: [Self; 12] = [
        Self::ResponseNotRead,
        Self::ClosedAfterResponse,
        Self::PoolTooSmall,
        Self::ClientPerRequest,
        Self::ProcessPerRequest,
        Self::ServerClosesEach,
        Self::ServerIdleTimeout,
        Self::ClientIdleTimeout,
        Self::StaleConnection,
        Self::RequestCap,
        Self::MaxLifetime,
        Self::PortExhaustion,
    ];

    /// The name in JSON and on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::ResponseNotRead => "response-not-read",
            Self::ClosedAfterResponse => "closed-after-response",
            Self::PoolTooSmall => "pool-too-small",
            Self::ClientPerRequest => "client-per-request",
            Self::ProcessPerRequest => "process-per-request",
            Self::ServerClosesEach => "server-closes-each",
            Self::ServerIdleTimeout => "server-idle-timeout",
            Self::ClientIdleTimeout => "client-idle-timeout",
            Self::StaleConnection => "stale-connection",
            Self::RequestCap => "request-cap",
            Self::MaxLifetime => "max-lifetime",
            Self::PortExhaustion => "port-exhaustion",
        }
    }

    /// Whether connections that end this way are no problem.
    pub fn is_healthy(self) -> bool {
        matches!(self, Self::RequestCap | Self::MaxLifetime)
    }
}
