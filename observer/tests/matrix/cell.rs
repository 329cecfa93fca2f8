//! A cell: a client, the way it makes its requests, and what they go over.

use std::{net::SocketAddr, ops::RangeInclusive};

use serde_json::{Value, json};

use crate::{
    client::{self, Client, Http2, Program},
    mode::{self, IDLE_TIMEOUT_MS, Mode, Server},
};

#[derive(Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) client: &'static Client,
    pub(crate) mode: &'static Mode,
    pub(crate) over: Over,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Plain,
    Tls12,
    Tls13,
}

impl Over {
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
        .flat_map(|(client, mode)| Over::ALL.map(|over| Cell { client, mode, over }))
        .filter(|cell| !cell.client.leaves_out(cell.mode, cell.over))
}

impl Cell {
    pub(crate) fn name(&self) -> String {
        let http2 = match self.client.http2 {
            Http2::NotOffered => "",
            Http2::NotChosen => " (HTTP/2 offered)",
            Http2::Chosen => " (HTTP/2 chosen)",
        };
        format!("{}{http2}: {}: {}", self.client.name, self.mode.name, self.over.name())
    }

    /// What it needs of the server.
    pub(crate) fn wish(&self) -> Value {
        let idle_ms = if self.mode.server == Server::TimesOut { IDLE_TIMEOUT_MS } else { 0 };
        json!({ "tls": self.over.version(), "http2": self.client.http2 == Http2::Chosen, "idle_ms": idle_ms })
    }

    pub(crate) fn url(&self, address: SocketAddr) -> String {
        let scheme = if self.over == Over::Plain { "http" } else { "https" };
        format!("{scheme}://{address}{}", self.mode.path())
    }

    /// Whether HTTP/2 is offered by a request that asks for an Upgrade. In the clear, Go and Node take it for granted.
    pub(crate) fn asks_for_upgrade(&self) -> bool {
        self.over == Over::Plain && matches!(self.client.program, Program::Java | Program::Curl)
    }

    /// How many connections should carry requests, or the cell does not show what it is there for.
    pub(crate) fn connections(&self) -> RangeInclusive<u64> {
        let Mode { times, at_once, .. } = *self.mode;
        match self.client {
            Client { http2: Http2::Chosen, .. } => 1..=at_once,
            Client { keeps: false, .. } => times..=times,
            _ if self.mode.server == Server::Closes => times..=times,
            _ if self.mode.server == Server::TimesOut => 2..=times,
            _ if at_once > 1 => at_once..=times,
            // How much a client reads away by itself differs.
            _ if !self.mode.is_read => 1..=times,
            // It likes to open a second.
            Client { kind: "fetch", .. } => 1..=2,
            _ => 1..=1,
        }
    }
}
