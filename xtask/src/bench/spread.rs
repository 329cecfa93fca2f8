//! `cargo xtask spread`: makes each request on a new connection, to many addresses of 127.0.0.0/8 in turn. No client in
//! Debian's packages does that. Prints its results as ab does.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

/// 127.1.0.1, the first address that loads and connections are spread over. Nothing else listens there.
pub(crate) const FIRST_ADDRESS: u32 = 0x7f01_0001;

/// The first addresses of the range.
pub(crate) fn addresses(destinations: u32) -> Vec<Ipv4Addr> {
    (0..destinations).map(|n| Ipv4Addr::from(FIRST_ADDRESS + n)).collect()
}

/// Make requests to many addresses, each on a new connection (started by `cargo xtask bench`)
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Number of requests
    requests: u32,

    /// Number of addresses to connect to, in turn
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    destinations: u32,

    /// Port of the server
    port: u16,

    /// Number of requests at a time
    clients: u32,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let addresses = addresses(args.destinations);
    let next = AtomicU32::new(0);
    let began = Instant::now();
    let client = || -> Result<()> {
        let mut answer = Vec::new();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= args.requests {
                return Ok(());
            }
            let address = SocketAddr::from((addresses[n as usize % addresses.len()], args.port));
            ask(address, &mut answer).with_context(|| format!("{address} did not answer"))?;
        }
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..args.clients).map(|_| scope.spawn(client)).collect();
        let join = |client: thread::ScopedJoinHandle<'_, Result<()>>| {
            client.join().unwrap_or_else(|_| bail!("a client panicked"))
        };
        clients.into_iter().try_for_each(join)
    })?;
    println!("Failed requests: 0");
    println!("Requests per second: {:.2}", f64::from(args.requests) / began.elapsed().as_secs_f64());
    Ok(ExitCode::SUCCESS)
}

/// HTTP/1.0, as ab speaks: the server closes the connection.
fn ask(address: SocketAddr, answer: &mut Vec<u8>) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    answer.clear();
    stream.read_to_end(answer)?;
    ensure!(answer.starts_with(b"HTTP/1.1 200 "), "unexpected response: {}", String::from_utf8_lossy(answer));
    Ok(())
}
