//! Keeps many connections open, spread over processes and over the addresses of 127.0.0.0/8.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::spread::FIRST_ADDRESS;
use crate::support::running::Running;

/// Connections per process. A process holds both ends, so this stays below a hard limit of 20,000 files.
const PER_PROCESS: u32 = 9_000;

/// Listeners without connections yet, so a watch can start with their ports.
pub(super) struct Places {
    listeners: Vec<TcpListener>,
    connections: u32,
    destinations: u32,
}

impl Places {
    /// `destinations` is the total; each process has at least one.
    pub(super) fn new(connections: u32, destinations: u32) -> Result<Self> {
        let processes = connections.div_ceil(PER_PROCESS);
        let listeners = (0..processes).map(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)));
        Ok(Self { listeners: listeners.collect::<Result<_, _>>()?, connections, destinations })
    }

    pub(super) fn processes(&self) -> u32 {
        self.listeners.len() as u32
    }

    /// The ports, as an argument of `--port`.
    pub(super) fn ports(&self) -> Result<String> {
        let ports = self.listeners.iter().map(|listener| Ok(listener.local_addr()?.port().to_string()));
        Ok(ports.collect::<Result<Vec<_>>>()?.join(","))
    }

    /// Opens the connections.
    pub(super) fn fill(self) -> Result<Vec<Running>> {
        let processes = self.listeners.len() as u32;
        let mut holders = Vec::new();
        for (n, listener) in self.listeners.into_iter().enumerate() {
            // The first processes take the remainder.
            let of = |all: u32| all / processes + u32::from((n as u32) < all % processes);
            holders.push(start(listener, of(self.connections), of(self.destinations).max(1), n as u32)?);
        }
        for holder in &mut holders {
            let stdout = holder.child().stdout.take().context("the standard output is not a pipe")?;
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line)?;
            ensure!(line.starts_with("holding"), "cannot open the connections");
        }
        Ok(holders)
    }
}

fn start(listener: TcpListener, connections: u32, destinations: u32, n: u32) -> Result<Running> {
    let mut command = Command::new("/proc/self/exe");
    let first = FIRST_ADDRESS + n * 0x1_0000;
    command.args(["hold", &connections.to_string(), &destinations.to_string(), &first.to_string()]);
    Running::start(command.stdin(Stdio::from(OwnedFd::from(listener))).stdout(Stdio::piped()))
}
