//! The server process. It has a listener for each cell, and reports the counts of all listeners at the end.

use std::{
    io::{BufRead as _, BufReader, Lines, Write as _},
    net::{Ipv4Addr, SocketAddr},
    process::{ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    cell::Cell,
    support::{programs::go_program, tool::Process},
};

/// The counts of a listener.
#[derive(Debug, Deserialize)]
pub(crate) struct Truth {
    pub(crate) accepted: u64,
    pub(crate) closed: u64,
    /// Requests over HTTP/2.
    pub(crate) http2: u64,
    pub(crate) connections: Vec<Connection>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Connection {
    pub(crate) client: String,
    pub(crate) requests: u64,
}

impl Truth {
    pub(crate) fn requests(&self) -> u64 {
        self.connections.iter().map(|connection| connection.requests).sum()
    }

    /// Connections that carried a request.
    pub(crate) fn used(&self) -> u64 {
        self.connections.iter().filter(|connection| connection.requests > 0).count() as u64
    }
}

pub(crate) struct Server {
    process: Process,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts the process, whose listeners use this loopback address.
    pub(crate) fn start(address: Ipv4Addr) -> Result<Self> {
        let mut command = Command::new(go_program("matrix-server", include_str!("programs/server.go")));
        let mut process = Process::start(command.arg(address.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()));
        let input = process.child.stdin.take().context("the server has no input")?;
        let output = BufReader::new(process.child.stdout.take().context("the server has no output")?).lines();
        Ok(Self { process, input, output })
    }

    /// Adds a listener for a cell, on a port of its own.
    pub(crate) fn listen(&mut self, cell: &Cell) -> Result<SocketAddr> {
        writeln!(self.input, "{}", cell.server_config()).context("cannot send a configuration to the server")?;
        read_json(&mut self.output)
    }

    /// Waits until all connections are closed. Returns the counts in the order of the listeners.
    pub(crate) fn finish(self) -> Result<Vec<Truth>> {
        let Self { mut process, input, mut output } = self;
        drop(input);
        let truths = read_json(&mut output);
        process.wait(Duration::from_mins(2));
        truths
    }
}

fn read_json<T: DeserializeOwned>(output: &mut Lines<BufReader<ChildStdout>>) -> Result<T> {
    let line = output.next().context("the server has exited")??;
    serde_json::from_str(&line).with_context(|| format!("the server printed {line}"))
}
