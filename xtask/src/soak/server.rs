//! A server that counts. It speaks just enough HTTP/1.1 to be recognised. Each connection has a thread, because there
//! are never more than a few hundred at once.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::net::sockopt::set_socket_linger;

/// A request. One byte of it tells the server what to send.
const REQUEST: &[u8; 19] = b"GET /. HTTP/1.1\r\n\r\n";
const KIND: usize = 5;

pub(super) fn request(kind: u8) -> [u8; REQUEST.len()] {
    let mut request = *REQUEST;
    request[KIND] = kind;
    request
}

/// A short response.
pub(super) const SHORT: u8 = b's';
/// A long response.
pub(super) const LONG: u8 = b'l';
/// A short response, and a reset once the client has read it.
pub(super) const RESET: u8 = b'r';

/// The short response. A long one starts with it.
const RESPONSE: &[u8; 19] = b"HTTP/1.1 200 OK\r\n\r\n";
pub(super) const SHORT_BYTES: usize = RESPONSE.len();
pub(super) const LONG_BYTES: usize = 64 << 10;

/// Time for the client to read the response before the reset.
const BEFORE_RESET: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_mins(2);

pub(super) struct Server {
    pub(super) port: u16,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    connections: AtomicU64,
    closed: AtomicU64,
    responses: AtomicU64,
}

/// The counts of the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Served {
    pub(super) connections: u64,
    pub(super) exchanges: u64,
}

impl Server {
    pub(super) fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        // std's backlog of 128 is too short for a crowd that connects at once.
        rustix::net::listen(&listener, 4096)?;
        let port = listener.local_addr()?.port();
        let counters = Arc::new(Counters::default());
        let shared = Arc::clone(&counters);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                shared.connections.fetch_add(1, SeqCst);
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    // A reset by the client is an error here, and expected.
                    let _ = serve(stream, &shared);
                    shared.closed.fetch_add(1, SeqCst);
                });
            }
        });
        Ok(Self { port, counters })
    }

    pub(super) fn counted(&self) -> Served {
        Served { connections: self.counters.connections.load(SeqCst), exchanges: self.counters.responses.load(SeqCst) }
    }

    /// Waits until every connection is closed.
    pub(super) fn wait_until_idle(&self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while self.counters.closed.load(SeqCst) < self.counters.connections.load(SeqCst) {
            if Instant::now() > end {
                bail!("connections are still open after {PATIENCE:?}");
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
        let kind = request[KIND];
        let mut response = RESPONSE.to_vec();
        response.resize(if kind == LONG { LONG_BYTES } else { SHORT_BYTES }, 0);
        stream.write_all(&response)?;
        counters.responses.fetch_add(1, SeqCst);
        if kind == RESET {
            thread::sleep(BEFORE_RESET);
            set_socket_linger(&stream, Some(Duration::ZERO))?;
            break;
        }
    }
    Ok(())
}
