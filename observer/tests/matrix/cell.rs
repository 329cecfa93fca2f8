//! A cell of the matrix: a client, a mode of making requests, and a transport.

use std::{net::SocketAddr, ops::RangeInclusive};

use serde_json::{Value, json};

use crate::{
    client::{self, Client, Http2, Program},
    mode::{self, IDLE_TIMEOUT_MS, Mode, ServerPolicy},
};

#[derive(Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) client: &'static Client,
    pub(crate) mode: &'static Mode,
    pub(crate) transport: Transport,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Plain,
    Tls12,
    Tls13,
}

impl Transport {
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::Tls12, Self::Tls13];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        }
    }

    fn version(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }
}

/// Client by client, mode by mode.
pub(crate) fn all() -> impl Iterator<Item = Cell> {
    client::ALL
        .iter()
        .flat_map(|client| mode::ALL.iter().map(move |mode| (client, mode)))
        .flat_map(|(client, mode)| Transport::ALL.map(|transport| Cell { client, mode, transport }))
        .filter(|cell| !cell.client.excludes(cell.mode, cell.transport))
}

impl Cell {
    pub(crate) fn name(&self) -> String {
        let http2 = match self.client.http2 {
            Http2::NotOffered => "",
            Http2::NotChosen => " (HTTP/2 offered)",
            Http2::Chosen => " (HTTP/2 chosen)",
        };
        format!("{}{http2}: {}: {}", self.client.name, self.mode.name, self.transport.name())
    }

    /// The configuration of the cell's listener, for `server.go`.
    pub(crate) fn server_config(&self) -> Value {
        let idle_ms = if self.mode.server == ServerPolicy::TimesOut { IDLE_TIMEOUT_MS } else { 0 };
        json!({ "tls": self.transport.version(), "http2": self.client.http2 == Http2::Chosen, "idle_ms": idle_ms })
    }

    pub(crate) fn url(&self, address: SocketAddr) -> String {
        let scheme = if self.transport == Transport::Plain { "http" } else { "https" };
        format!("{scheme}://{address}{}", self.mode.path())
    }

    /// Whether the client offers HTTP/2 in an `Upgrade` header. In the clear, Go and Node speak HTTP/2 from the start.
    pub(crate) fn asks_for_upgrade(&self) -> bool {
        self.transport == Transport::Plain && matches!(self.client.program, Program::Java | Program::Curl)
    }

    /// How many connections should carry requests. Outside this range, the cell does not exercise its mode.
    pub(crate) fn connections(&self) -> RangeInclusive<u64> {
        let Mode { requests, concurrency, .. } = *self.mode;
        match self.client {
            Client { http2: Http2::Chosen, .. } => 1..=concurrency,
            Client { keeps_connections: false, .. } => requests..=requests,
            _ if self.mode.server == ServerPolicy::Closes => requests..=requests,
            _ if self.mode.server == ServerPolicy::TimesOut => 2..=requests,
            _ if concurrency > 1 => concurrency..=requests,
            // Clients differ in how much of a body they drain by themselves.
            _ if !self.mode.is_read => 1..=requests,
            // fetch often opens a second connection.
            Client { kind: "fetch", .. } => 1..=2,
            _ => 1..=1,
        }
    }
}
