//! `cargo xtask hold`: both ends of many connections, for the benchmark, in a process of their own, since each process
//! may only have so many files open. Listens on what it gets as its standard input, and ends with who started it.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::thread::park;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Hold connections open (started by the benchmark)
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many
    connections: u32,

    /// To so many addresses of 127.0.0.0/8, in turn
    destinations: u32,

    /// The first of them, as a number
    first: u32,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    let listener = TcpListener::from(io::stdin().as_fd().try_clone_to_owned()?);
    let port = listener.local_addr().context("standard input is no listener")?.port();
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

/// A connection that has carried an exchange.
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
