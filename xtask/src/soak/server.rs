//! A server that answers as much of HTTP as is recognised, and counts. A thread a connection: there are never more than a few hundred at once.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::net::sockopt::set_socket_linger;

/// A request; what it asks for is one byte of it.
const REQUEST: &[u8; 19] = b"GET /. HTTP/1.1\r\n\r\n";
const WHAT: usize = 5;

pub(super) fn request(what: u8) -> [u8; REQUEST.len()] {
    let mut request = *REQUEST;
    request[WHAT] = what;
    request
}

/// What a client asks for.
pub(super) const SHORT: u8 = b's';
pub(super) const LONG: u8 = b'l';
/// A short answer, and a reset when it has been read.
pub(super) const RESET: u8 = b'r';

/// A short answer, with which a long one begins.
const ANSWER: &[u8; 19] = b"HTTP/1.1 200 OK\r\n\r\n";
pub(super) const SHORT_BYTES: usize = ANSWER.len();
pub(super) const LONG_BYTES: usize = 64 << 10;

/// How long an answer may take to be read before the reset comes.
const BEFORE_RESET: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Server {
    pub(super) port: u16,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    connections: AtomicU64,
    closed: AtomicU64,
    answers: AtomicU64,
}

/// What it has counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Served {
    pub(super) connections: u64,
    pub(super) exchanges: u64,
}

impl Server {
    pub(super) fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        // The library's queue of 128 is short for a crowd that comes at once.
        rustix::net::listen(&listener, 4096)?;
        let port = listener.local_addr()?.port();
        let counters = Arc::new(Counters::default());
        let shared = Arc::clone(&counters);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                shared.connections.fetch_add(1, SeqCst);
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    // A client that resets ends it too.
                    let _ = serve(stream, &shared);
                    shared.closed.fetch_add(1, SeqCst);
                });
            }
        });
        Ok(Self { port, counters })
    }

    pub(super) fn counted(&self) -> Served {
        Served { connections: self.counters.connections.load(SeqCst), exchanges: self.counters.answers.load(SeqCst) }
    }

    /// Waits until every connection is closed.
    pub(super) fn wait_until_idle(&self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while self.counters.closed.load(SeqCst) < self.counters.connections.load(SeqCst) {
            if Instant::now() > end {
                bail!("connections have not been closed within {PATIENCE:?}");
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

fn serve(mut stream: TcpStream, counters: &Counters) -> Result<()> {
    let mut request = [0; REQUEST.len()];
    loop {
        match stream.read_exact(&mut request) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
            read => read?,
        }
        let what = request[WHAT];
        let mut answer = ANSWER.to_vec();
        answer.resize(if what == LONG { LONG_BYTES } else { SHORT_BYTES }, 0);
        stream.write_all(&answer)?;
        counters.answers.fetch_add(1, SeqCst);
        if what == RESET {
            thread::sleep(BEFORE_RESET);
            set_socket_linger(&stream, Some(Duration::ZERO))?;
            break;
        }
    }
    Ok(())
}
