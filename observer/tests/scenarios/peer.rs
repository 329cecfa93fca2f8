//! The peers, in this process: each listens on a port of its own, talks as the scenario wants, and counts the truth.

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

/// The ports of all peers, outside of those that the kernel gives to clients by default.
pub(crate) const PORTS: (u16, u16) = (21_000, 21_999);
/// Nothing here waits forever.
const PATIENCE: Duration = Duration::from_secs(20);
/// Enough for a talk: there are five hundred at once.
const STACK_BYTES: usize = 128 << 10;

/// Connections that wait to be accepted.
const QUEUE: i32 = 1024;

static NEXT_PORT: AtomicU16 = AtomicU16::new(PORTS.0);

/// What the listeners have counted.
#[derive(Debug)]
pub(crate) struct Truth {
    pub(crate) port: u16,
    /// Accepted
    pub(crate) connections: u64,
    /// Requests answered
    pub(crate) exchanges: u64,
    /// What the client's ledger says, where it keeps one
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
    /// `talk` has each connection in a thread of its own, closes it by coming back, and says how many requests it has
    /// answered.
    pub(crate) fn new(talk: impl Fn(TcpStream) -> io::Result<u64> + Send + Sync + 'static) -> Result<Self> {
        Self::on(listener(Ipv4Addr::LOCALHOST.into())?, talk)
    }

    pub(crate) fn on(
        listener: TcpListener,
        talk: impl Fn(TcpStream) -> io::Result<u64> + Send + Sync + 'static,
    ) -> Result<Self> {
        let (peer, talk) = (Self::of(&listener)?, Arc::new(talk));
        let counts = Arc::clone(&peer.counts);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (talk, talking) = (Arc::clone(&talk), Arc::clone(&counts));
                let thread = thread::Builder::new().stack_size(STACK_BYTES);
                if let Err(error) = thread.spawn(move || talking.talk(stream, &*talk)) {
                    counts.failed(error);
                }
            }
        });
        Ok(peer)
    }

    /// A few threads, each with one connection at a time: for floods.
    pub(crate) fn with_threads(
        threads: usize,
        talk: impl Fn(TcpStream) -> io::Result<u64> + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = listener(Ipv4Addr::LOCALHOST.into())?;
        let (peer, talk) = (Self::of(&listener)?, Arc::new(talk));
        for _ in 0..threads {
            let (listener, talk, counts) = (listener.try_clone()?, Arc::clone(&talk), Arc::clone(&peer.counts));
            thread::spawn(move || listener.incoming().for_each(|stream| counts.talk(stream, &*talk)));
        }
        Ok(peer)
    }

    fn of(listener: &TcpListener) -> Result<Self> {
        Ok(Self { address: listener.local_addr()?, counts: Arc::default() })
    }

    pub(crate) fn connect(&self) -> Result<TcpStream> {
        connect(self.address)
    }

    /// Waits until it has accepted this many connections and closed them; what it has counted.
    pub(crate) fn truth(&self, connections: u64) -> Result<Truth> {
        let counts = &self.counts;
        eventually("the peer has closed what it accepted", || counts.done.load(SeqCst) >= connections)?;
        if let Some(error) = counts.error.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(error).context("the peer's side");
        }
        let accepted = counts.accepted.load(SeqCst);
        ensure!(accepted == connections, "the peer accepted {accepted} connections, not {connections}");
        Ok(Truth { port: self.address.port(), connections, exchanges: counts.served.load(SeqCst), pool: None })
    }
}

impl Counts {
    fn talk(&self, stream: io::Result<TcpStream>, talk: &impl Fn(TcpStream) -> io::Result<u64>) {
        self.accepted.fetch_add(1, SeqCst);
        let served = stream.and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            talk(stream)
        });
        match served {
            Ok(served) => _ = self.served.fetch_add(served, SeqCst),
            Err(error) => self.failed(error),
        }
        self.done.fetch_add(1, SeqCst);
    }

    fn failed(&self, error: io::Error) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

/// A listener on the next port that is free.
pub(crate) fn listener(address: IpAddr) -> Result<TcpListener> {
    loop {
        match TcpListener::bind((address, next_port()?)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            bound => {
                let listener = bound.with_context(|| format!("cannot listen on {address}"))?;
                // std asks for 128; a connect for which there is no room waits for a second.
                listen(&listener, QUEUE)?;
                return Ok(listener);
            }
        }
    }
}

/// A port that no other scenario has.
pub(crate) fn next_port() -> Result<u16> {
    let port = NEXT_PORT.fetch_add(1, SeqCst);
    if port > PORTS.1 {
        bail!("no port is left up to {}", PORTS.1);
    }
    Ok(port)
}

pub(crate) fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

pub(crate) fn eventually(what: &str, mut ready: impl FnMut() -> bool) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while !ready() {
        ensure!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
