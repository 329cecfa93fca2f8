//! The loads: one request per connection, to one address or to many, and many requests on few connections.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::server::{Counted, Server};
use super::spread;
use crate::support::running::cpu_of_our_reaped_children;
use crate::support::workspace::output;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// ab: this many requests, each on a new connection
    Connections(u32),
    /// This many requests, each on a new connection, to [`DESTINATIONS`] addresses in turn: that many groups
    Spread(u32),
    /// ab: this many requests on kept-alive connections
    Kept(u32),
    /// wrk: as many requests as possible on kept-alive connections, for this many seconds
    Requests(u32),
}

/// The outcome of a load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    /// Requests per second, as the client reports
    pub(super) rate: f64,
    /// CPU time of the client and the server
    pub(super) cpu: Duration,
    /// Counts of the server
    pub(super) counted: Counted,
}

const CLIENTS: &str = "16";
const DESTINATIONS: u32 = 500;

impl Load {
    /// The unit of costs, and how many connections or exchanges it has.
    pub(super) fn unit(self) -> (&'static str, f64) {
        match self {
            Self::Connections(_) | Self::Spread(_) => ("10,000 connections", 10_000.0),
            Self::Kept(_) | Self::Requests(_) => ("100,000 exchanges", 100_000.0),
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Connections(_) => "one connection per request (`ab`)",
            Self::Spread(_) => "one connection per request, to 500 addresses",
            Self::Kept(_) => "keep-alive (`ab -k`)",
            Self::Requests(_) => "keep-alive (`wrk`)",
        }
    }

    /// Starts a server for the load.
    pub(super) fn server(self) -> Result<Server> {
        match self {
            Self::Spread(_) => Server::start_at(&spread::addresses(DESTINATIONS)),
            _ => Server::start(),
        }
    }

    pub(super) fn run(self, server: &Server) -> Result<Done> {
        let before = (server.counted()?, server.cpu(), cpu_of_our_reaped_children());
        let printed = output(&mut self.command(server))?;
        let cpu = server.cpu().saturating_sub(before.1) + cpu_of_our_reaped_children().saturating_sub(before.2);
        let counted = server.counted()?.since(before.0);
        Ok(Done { rate: self.rate(&printed)?, cpu, counted })
    }

    fn command(self, server: &Server) -> Command {
        let command = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(program);
            command.args(arguments);
            command
        };
        let url = server.url();
        match self {
            Self::Connections(requests) => command("ab", &["-q", "-c", CLIENTS, "-n", &requests.to_string(), &url]),
            Self::Kept(requests) => command("ab", &["-q", "-k", "-c", CLIENTS, "-n", &requests.to_string(), &url]),
            Self::Requests(seconds) => command("wrk", &["-t1", "-c", CLIENTS, "-d", &format!("{seconds}s"), &url]),
            Self::Spread(requests) => {
                let (requests, port) = (requests.to_string(), server.port.to_string());
                command("/proc/self/exe", &["spread", &requests, &DESTINATIONS.to_string(), &port, CLIENTS])
            }
        }
    }

    fn rate(self, printed: &str) -> Result<f64> {
        let (what, failures): (_, &[&str]) = match self {
            Self::Requests(_) => ("Requests/sec:", &["Socket errors", "Non-2xx"]),
            Self::Connections(_) | Self::Kept(_) | Self::Spread(_) => ("Requests per second:", &["Non-2xx"]),
        };
        let failed = printed.lines().find_map(|line| line.strip_prefix("Failed requests:"));
        if failed.is_some_and(|number| number.trim() != "0") || failures.iter().any(|failure| printed.contains(failure))
        {
            bail!("requests failed: {printed}");
        }
        let rate = printed.lines().find_map(|line| line.trim().strip_prefix(what)?.split_whitespace().next());
        rate.and_then(|rate| rate.parse().ok()).with_context(|| format!("no rate in {printed}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_parsed_from_the_output_of_clients() {
        let ab = "Failed requests:        0\nRequests per second:    7265.28 [#/sec] (mean)\n";
        assert!((Load::Connections(1).rate(ab).unwrap() - 7265.28).abs() < 1e-9);
        let wrk = "  55877 requests in 1.10s, 8.10MB read\nRequests/sec:  50635.56\n";
        assert!((Load::Requests(1).rate(wrk).unwrap() - 50_635.56).abs() < 1e-9);
        assert!(Load::Connections(1).rate("Failed requests:        3\nRequests per second: 5\n").is_err());
        assert!(Load::Requests(1).rate("nothing").is_err());
    }
}
