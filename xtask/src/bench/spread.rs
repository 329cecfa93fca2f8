//! `cargo xtask spread`: a connection a request to one address of 127.0.0.0/8 after the other, for the benchmark, as no
//! client of Debian's packages goes to several. It says at its end what ab says.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

/// 127.1.0.1, where nothing else listens: the first of those that loads and connections are spread over.
pub(crate) const FIRST_ADDRESS: u32 = 0x7f01_0001;

/// So many addresses that are this machine's alone.
pub(crate) fn addresses(destinations: u32) -> Vec<Ipv4Addr> {
    (0..destinations).map(|n| Ipv4Addr::from(FIRST_ADDRESS + n)).collect()
}

/// Make requests, each on a connection of its own, to many addresses (started by the benchmark)
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many
    requests: u32,

    /// To so many addresses, in turn
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    destinations: u32,

    port: u16,

    /// So many at a time
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
            client.join().unwrap_or_else(|_| bail!("a client has panicked"))
        };
        clients.into_iter().try_for_each(join)
    })?;
    println!("Failed requests: 0");
    println!("Requests per second: {:.2}", f64::from(args.requests) / began.elapsed().as_secs_f64());
    Ok(ExitCode::SUCCESS)
}

/// As ab asks: the server closes.
fn ask(address: SocketAddr, answer: &mut Vec<u8>) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    answer.clear();
    stream.read_to_end(answer)?;
    ensure!(answer.starts_with(b"HTTP/1.1 200 "), "it said {}", String::from_utf8_lossy(answer));
    Ok(())
}
