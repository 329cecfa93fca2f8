//! A server that answers, and counts. A thread a connection: there are never more than a few hundred at once.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::net::sockopt::set_socket_linger;

/// What a client asks for, in one byte.
pub(super) const SHORT: u8 = b's';
pub(super) const LONG: u8 = b'l';
/// A short answer, and a reset when it has been read.
pub(super) const RESET: u8 = b'r';

pub(super) const SHORT_BYTES: usize = 16;
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
    let mut asked = [0];
    while stream.read(&mut asked)? > 0 {
        let bytes = if asked[0] == LONG { LONG_BYTES } else { SHORT_BYTES };
        stream.write_all(&vec![0; bytes])?;
        counters.answers.fetch_add(1, SeqCst);
        if asked[0] == RESET {
            thread::sleep(BEFORE_RESET);
            set_socket_linger(&stream, Some(Duration::ZERO))?;
            break;
        }
    }
    Ok(())
}
