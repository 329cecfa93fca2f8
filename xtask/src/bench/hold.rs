//! `cargo xtask hold`: holds both ends of many connections open for the benchmark. It is a process of its own, because
//! a process may have a limited number of open files. Its standard input is the listener. It ends with the benchmark.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::thread::park;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Hold connections open (started by `cargo xtask bench`)
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Number of connections
    connections: u32,

    /// Number of addresses to connect to, in turn
    destinations: u32,

    /// First address, as a number
    first: u32,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    let listener = TcpListener::from(io::stdin().as_fd().try_clone_to_owned()?);
    let port = listener.local_addr().context("the standard input is not a listener")?.port();
    let mut held = Vec::new();
    for n in 0..args.connections {
        let address = Ipv4Addr::from(args.first + n % args.destinations);
        held.push(open(&listener, SocketAddr::from((address, port)))?);
    }
    println!("holding {}", held.len());
    io::stdout().flush()?;
    loop {
        park();
    }
}

/// Opens a connection and makes an exchange on it.
fn open(listener: &TcpListener, address: SocketAddr) -> Result<(TcpStream, TcpStream)> {
    let mut client = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
    let (mut server, _) = listener.accept()?;
    let mut byte = [0];
    client.write_all(&byte)?;
    server.read_exact(&mut byte)?;
    server.write_all(&byte)?;
    client.read_exact(&mut byte)?;
    Ok((client, server))
}
