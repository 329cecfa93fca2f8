//! `cargo xtask churn`: a client process of the soak. It does one thing many times and prints how often it did.

use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::ops::AddAssign;
use std::process::{Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use rustix::net::sockopt::set_socket_linger;

use super::server::{LONG, LONG_BYTES, RESET, SHORT, SHORT_BYTES, request};
use crate::support::workspace::output;

/// Run clients of one kind (started by `cargo xtask soak`)
#[derive(clap::Args)]
pub(crate) struct Args {
    kind: Kind,
    address: SocketAddr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Many exchanges on one connection
    Keep,
    /// One exchange on each connection
    Each,
    /// Reset by the client
    Reset,
    /// Reset by the server
    ServerReset,
    /// No listener
    Refused,
    /// A long response, read slowly
    Slow,
    /// More connections at once than the small watch has room for
    Crowd,
    /// More destinations than the table of groups has room for
    Destinations,
}

impl Kind {
    /// The kinds that take turns.
    pub(super) const ALL: [Self; 7] =
        [Self::Keep, Self::Each, Self::Reset, Self::ServerReset, Self::Refused, Self::Slow, Self::Crowd];

    fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Each => "each",
            Self::Reset => "reset",
            Self::ServerReset => "server-reset",
            Self::Refused => "refused",
            Self::Slow => "slow",
            Self::Crowd => "crowd",
            Self::Destinations => "destinations",
        }
    }
}

/// What the clients did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) connections: u64,
    pub(super) exchanges: u64,
    pub(super) refused: u64,
}

impl AddAssign for Counted {
    fn add_assign(&mut self, other: Self) {
        self.connections += other.connections;
        self.exchanges += other.exchanges;
        self.refused += other.refused;
    }
}

/// Runs a client process to its end.
pub(super) fn start(kind: Kind, address: SocketAddr) -> Result<Counted> {
    let mut command = Command::new("/proc/self/exe");
    command.args(["churn", kind.name(), &address.to_string()]).stdin(Stdio::null());
    let printed = output(&mut command)?;
    parse(&printed).with_context(|| format!("the clients printed {printed}"))
}

/// Parses three numbers: connections, exchanges and refused connects.
fn parse(printed: &str) -> Option<Counted> {
    let mut numbers = printed.split_whitespace().map(|number| number.parse().ok());
    Some(Counted { connections: numbers.next()??, exchanges: numbers.next()??, refused: numbers.next()?? })
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let address = args.address;
    let mut counted = Counted::default();
    match args.kind {
        Kind::Keep => {
            let mut stream = connect(address, &mut counted)?;
            (0..500).try_for_each(|_| ask(&mut stream, SHORT, &mut counted))?;
        }
        Kind::Each => (0..200).try_for_each(|_| once(address, SHORT, &mut counted).map(drop))?,
        Kind::Reset => (0..50).try_for_each(|_| {
            let stream = once(address, SHORT, &mut counted)?;
            set_socket_linger(&stream, Some(Duration::ZERO)).context("cannot set SO_LINGER")
        })?,
        Kind::ServerReset => (0..20).try_for_each(|_| wait_for_reset(once(address, RESET, &mut counted)?))?,
        Kind::Refused => (0..100).try_for_each(|_| be_refused(address, &mut counted))?,
        Kind::Slow => read_slowly(connect(address, &mut counted)?, &mut counted)?,
        Kind::Crowd => {
            let streams = (0..400).map(|_| once(address, SHORT, &mut counted)).collect::<Result<Vec<_>>>()?;
            drop(streams);
        }
        Kind::Destinations => {
            for n in 0..11_000 {
                let to = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 2, 0, 1)) + n);
                once(SocketAddr::new(IpAddr::V4(to), address.port()), SHORT, &mut counted)?;
            }
        }
    }
    println!("{} {} {}", counted.connections, counted.exchanges, counted.refused);
    Ok(ExitCode::SUCCESS)
}

fn connect(address: SocketAddr, counted: &mut Counted) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
    counted.connections += 1;
    Ok(stream)
}

fn ask(stream: &mut TcpStream, what: u8, counted: &mut Counted) -> Result<()> {
    stream.write_all(&request(what))?;
    stream.read_exact(&mut [0; SHORT_BYTES])?;
    counted.exchanges += 1;
    Ok(())
}

fn once(address: SocketAddr, what: u8, counted: &mut Counted) -> Result<TcpStream> {
    let mut stream = connect(address, counted)?;
    ask(&mut stream, what, counted)?;
    Ok(stream)
}

fn wait_for_reset(mut stream: TcpStream) -> Result<()> {
    match stream.read(&mut [0]).map_err(|error| error.kind()) {
        Err(ErrorKind::ConnectionReset) => Ok(()),
        other => bail!("not reset: {other:?}"),
    }
}

fn be_refused(address: SocketAddr, counted: &mut Counted) -> Result<()> {
    match TcpStream::connect(address).map_err(|error: Error| error.kind()) {
        Err(ErrorKind::ConnectionRefused) => counted.refused += 1,
        other => bail!("not refused: {other:?}"),
    }
    Ok(())
}

fn read_slowly(mut stream: TcpStream, counted: &mut Counted) -> Result<()> {
    stream.write_all(&request(LONG))?;
    for _ in 0..LONG_BYTES / 1024 {
        stream.read_exact(&mut [0; 1024])?;
        sleep(Duration::from_millis(2));
    }
    counted.exchanges += 1;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_clients_is_three_numbers() {
        assert_eq!(parse("5 7 2\n"), Some(Counted { connections: 5, exchanges: 7, refused: 2 }));
        assert_eq!(parse("5 7"), None);
    }
}
