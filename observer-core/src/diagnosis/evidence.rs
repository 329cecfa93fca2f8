//! The numbers behind a diagnosis. Times are in microseconds.

use super::Finding;
use crate::group::{ClosedConnection, History, Spread};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Connects that found no free local port.
    NoLocalPort {
        connects: u64,
    },
    /// Closed by this process with unread bytes. `unread_bytes` is a median: None if the history has no such close, 0
    /// if the response arrived only after the close.
    UnreadResponse {
        closes: Share,
        closed: u64,
        since_last_read_us: Option<u64>,
        unread_bytes: Option<u64>,
    },
    /// Closed after a response. `since_response_us` is a median.
    LeftAfterResponse {
        closes: u64,
        closed: u64,
        leaver: Leaver,
        since_response_us: Option<u64>,
        exchanges: ExchangesEach,
    },
    ServerClosedEach {
        closes: Share,
        closed: u64,
        each: ClosesEach,
    },
    ProcessEach(ProcessEach),
    /// Opened while up to `idle` connections were idle. `unused_after`: the exchanges after which each was left unused.
    /// None if it was one.
    OpenedBesideIdle {
        missed: u64,
        opened: u64,
        idle: u64,
        unused_after: Option<ExchangesEach>,
    },
    /// Closed by this process after a response, while `kept_idle` connections stayed idle and `concurrent` had been in use.
    PoolOverflow {
        closes: u64,
        closed: u64,
        kept_idle: u64,
        concurrent: u64,
    },
    /// Closed by the server after being idle. `timeout_us` is the median idle time.
    ServerIdle {
        closes: u64,
        closed: u64,
        timeout_us: u64,
    },
    /// Closed by this process after being idle. `is_noticed_late`: closed only at the next request, so the time is an
    /// upper bound.
    ClientIdle {
        closes: u64,
        closed: u64,
        timeout_us: u64,
        is_noticed_late: bool,
    },
    /// Reset by the peer after being idle. `idle_us` is the median idle time.
    ResetWhenIdle {
        closes: u64,
        closed: u64,
        idle_us: u64,
    },
    /// Closed while in use, at this median age.
    Age {
        closes: u64,
        lifetime_us: u64,
    },
    /// Closed by the server. The last `seen` of them carried `cap` exchanges each.
    Cap {
        closes: u64,
        seen: usize,
        cap: u64,
    },
}

impl Evidence {
    pub fn finding(&self) -> Finding {
        match self {
            Self::NoLocalPort { .. } => Finding::PortExhaustion,
            Self::UnreadResponse { .. } => Finding::ResponseNotRead,
            Self::LeftAfterResponse { .. } => Finding::ClosedAfterResponse,
            Self::ServerClosedEach { .. } => Finding::ServerClosesEach,
            Self::ProcessEach(_) => Finding::ProcessPerRequest,
            Self::OpenedBesideIdle { .. } => Finding::ClientPerRequest,
            Self::PoolOverflow { .. } => Finding::PoolTooSmall,
            Self::ServerIdle { .. } => Finding::ServerIdleTimeout,
            Self::ClientIdle { .. } => Finding::ClientIdleTimeout,
            Self::ResetWhenIdle { .. } => Finding::StaleConnection,
            Self::Age { .. } => Finding::MaxLifetime,
            Self::Cap { .. } => Finding::RequestCap,
        }
    }

    /// The numbers under their names in JSON.
    pub fn values(&self) -> Vec<(&'static str, u64)> {
        match *self {
            Self::UnreadResponse { unread_bytes, .. } => vec![("unread_bytes", unread_bytes.unwrap_or(0))],
            Self::ProcessEach(ProcessEach { processes, .. }) => vec![("processes", processes)],
            Self::OpenedBesideIdle { idle, .. } => vec![("idle", idle)],
            Self::PoolOverflow { kept_idle, concurrent, .. } => {
                vec![("kept_idle", kept_idle), ("concurrent", concurrent)]
            }
            Self::ServerIdle { timeout_us, .. } | Self::ClientIdle { timeout_us, .. } => {
                vec![("timeout_us", timeout_us)]
            }
            Self::ResetWhenIdle { idle_us, .. } => vec![("idle_us", idle_us)],
            Self::Age { lifetime_us, .. } => vec![("lifetime_us", lifetime_us)],
            Self::Cap { cap, .. } => vec![("cap", cap)],
            Self::NoLocalPort { .. } | Self::LeftAfterResponse { .. } | Self::ServerClosedEach { .. } => Vec::new(),
        }
    }
}

/// A part of the closes by one cause. The counters have the number of closes by each cause; the part that a rule can
/// rely on is estimated from the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub closes: u64,
    pub is_estimate: bool,
}

/// Many processes, each with a connection of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessEach {
    pub processes: u64,
    pub opened: u64,
    pub exchanges: u64,
    pub is_exact: bool,
    /// No two connections were open at once.
    pub one_after_the_other: bool,
    /// None if each connection carried one exchange.
    pub each: Option<ExchangesEach>,
}

/// Which side closed connections after a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaver {
    ThisProcess,
    /// The server, most likely because this process had said goodbye.
    Server,
    Both,
}

/// When the server closed its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosesEach {
    WithFirstResponse { is_always: bool },
    AfterOneTurn { is_always: bool },
    AfterUnit(ExchangesEach),
}

/// How many exchanges each connection carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangesEach {
    pub median: u64,
    pub agreement: Agreement,
    /// Whether these are exchanges, not turns.
    pub is_exact: bool,
}

/// How many of the connections agree with the median.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    All,
    Most,
    Some,
}

impl ExchangesEach {
    pub(super) fn new(exchanges: &Spread, is_exact: bool) -> Self {
        let agreement = match exchanges.is_constant() {
            true => Agreement::All,
            false if exchanges.is_mostly_one() => Agreement::Most,
            false => Agreement::Some,
        };
        Self { median: exchanges.median().unwrap_or(0), agreement, is_exact }
    }

    /// Summarises every connection in the history.
    pub(super) fn of_all(history: &History, is_exact: bool) -> Self {
        Self::new(&history.spread(|closed: &ClosedConnection| Some(closed.exchanges())), is_exact)
    }
}
