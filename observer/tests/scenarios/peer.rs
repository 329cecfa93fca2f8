//! The servers of the scenarios. Each runs in this process, listens on a port of its own, and counts the connections and
//! requests that the tool's report is compared with.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::net::listen;

use crate::ledger::Pool;

/// The ports of all peers, below the range that the kernel assigns to clients by default.
pub(crate) const PORTS: (u16, u16) = (21_000, 21_999);
const TIMEOUT: Duration = Duration::from_mins(2);
/// Small, because 500 connections have a thread each.
const STACK_BYTES: usize = 128 << 10;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

static NEXT_PORT: AtomicU16 = AtomicU16::new(PORTS.0);

/// The counts of a listener, which the tool has no part in.
#[derive(Debug)]
pub(crate) struct Truth {
    pub(crate) port: u16,
    /// Accepted connections.
    pub(crate) connections: u64,
    /// Answered requests.
    pub(crate) exchanges: u64,
    /// Counts of the client's ledger, where the scenario keeps one.
    pub(crate) pool: Option<Pool>,
}

#[derive(Default)]
struct Counts {
    accepted: AtomicU64,
    done: AtomicU64,
    served: AtomicU64,
    error: Mutex<Option<io::Error>>,
}

pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    counts: Arc<Counts>,
}

impl Peer {
    /// Runs `serve` for each connection on a thread of its own. `serve` closes the connection by returning, and returns
    /// the number of requests that it answered.
    pub(crate) fn new(serve: impl Fn(TcpStream) -> io::Result<u64> + Send + Sync + 'static) -> Result<Self> {
        Self::on(listener(Ipv4Addr::LOCALHOST.into())?, serve)
    }

    pub(crate) fn on(
        listener: TcpListener,
        serve: impl Fn(TcpStream) -> io::Result<u64> + Send + Sync + 'static,
    ) -> Result<Self> {
        let (peer, serve) = (Self::at(&listener)?, Arc::new(serve));
        let counts = Arc::clone(&peer.counts);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (serve, counting) = (Arc::clone(&serve), Arc::clone(&counts));
                let thread = thread::Builder::new().stack_size(STACK_BYTES);
                if let Err(error) = thread.spawn(move || counting.serve(stream, &*serve)) {
                    counts.record_error(error);
                }
            }
        });
        Ok(peer)
    }

    /// Serves connections on a fixed number of threads, for floods.
    pub(crate) fn with_threads(
        threads: usize,
        serve: impl Fn(TcpStream) -> io::Result<u64> + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = listener(Ipv4Addr::LOCALHOST.into())?;
        let (peer, serve) = (Self::at(&listener)?, Arc::new(serve));
        for _ in 0..threads {
            let (listener, serve, counts) = (listener.try_clone()?, Arc::clone(&serve), Arc::clone(&peer.counts));
            thread::spawn(move || listener.incoming().for_each(|stream| counts.serve(stream, &*serve)));
        }
        Ok(peer)
    }

    fn at(listener: &TcpListener) -> Result<Self> {
        Ok(Self { address: listener.local_addr()?, counts: Arc::default() })
    }

    pub(crate) fn connect(&self) -> Result<TcpStream> {
        connect(self.address)
    }

    /// Waits until the peer has accepted and closed this many connections, and returns its counts.
    pub(crate) fn truth(&self, connections: u64) -> Result<Truth> {
        let counts = &self.counts;
        eventually("the peer has closed all connections", || counts.done.load(SeqCst) >= connections)?;
        if let Some(error) = counts.error.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(error).context("the peer failed");
        }
        let accepted = counts.accepted.load(SeqCst);
        ensure!(accepted == connections, "the peer accepted {accepted} connections, not {connections}");
        Ok(Truth { port: self.address.port(), connections, exchanges: counts.served.load(SeqCst), pool: None })
    }
}

impl Counts {
    fn serve(&self, stream: io::Result<TcpStream>, serve: &impl Fn(TcpStream) -> io::Result<u64>) {
        self.accepted.fetch_add(1, SeqCst);
        let served = stream.and_then(|stream| {
            stream.set_read_timeout(Some(TIMEOUT))?;
            serve(stream)
        });
        match served {
            Ok(served) => _ = self.served.fetch_add(served, SeqCst),
            Err(error) => self.record_error(error),
        }
        self.done.fetch_add(1, SeqCst);
    }

    fn record_error(&self, error: io::Error) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

/// A listener on the next free port.
pub(crate) fn listener(address: IpAddr) -> Result<TcpListener> {
    loop {
        match TcpListener::bind((address, next_port()?)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            bound => {
                let listener = bound.with_context(|| format!("cannot listen on {address}"))?;
                // std sets a backlog of 128. A connect that finds the queue full is retried only after a second.
                listen(&listener, BACKLOG)?;
                return Ok(listener);
            }
        }
    }
}

/// A port that no other scenario uses.
pub(crate) fn next_port() -> Result<u16> {
    let port = NEXT_PORT.fetch_add(1, SeqCst);
    if port > PORTS.1 {
        bail!("no port left up to {}", PORTS.1);
    }
    Ok(port)
}

pub(crate) fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

pub(crate) fn eventually(condition: &str, mut ready: impl FnMut() -> bool) -> Result<()> {
    let end = Instant::now() + TIMEOUT;
    while !ready() {
        ensure!(Instant::now() < end, "not within {TIMEOUT:?}: {condition}");
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
