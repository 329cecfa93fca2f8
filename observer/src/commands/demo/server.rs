//! A small HTTP/1.1 server with keep-alive. It counts connections and requests, for comparison with the watch.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// More than the client's buffer holds, so an unread body stays in the socket.
const BODY_BYTES: usize = 256 << 10;

pub(super) struct Server {
    listener: TcpListener,
    address: SocketAddr,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    connections: AtomicU64,
    requests: AtomicU64,
}

pub(super) struct Counted {
    pub(super) connections: u64,
    pub(super) requests: u64,
}

impl Server {
    /// Listens on a free port of loopback.
    pub(super) fn listen() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, counters: Arc::default() })
    }

    /// Serves in threads, which end with the process. Must be called after privileges were given up, because threads
    /// keep those that they were started with.
    pub(super) fn start(&self, timeout: Duration) -> io::Result<()> {
        let listener = self.listener.try_clone()?;
        let shared = Arc::clone(&self.counters);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let counters = Arc::clone(&shared);
                // An error is expected: a client that closes early resets the connection.
                thread::spawn(move || serve(&stream, timeout, &counters));
            }
        });
        Ok(())
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(super) fn counted(&self) -> Counted {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counted { connections: read(&self.counters.connections), requests: read(&self.counters.requests) }
    }
}

/// Responds to requests until the client closes the connection.
fn serve(mut stream: &TcpStream, timeout: Duration, counters: &Counters) -> io::Result<()> {
    stream.set_write_timeout(Some(timeout))?;
    let body = vec![b'.'; BODY_BYTES];
    let mut line = String::new();
    let mut requests = BufReader::new(stream);
    while requests.read_line(&mut line)? > 0 {
        let is_end_of_request = line == "\r\n";
        line.clear();
        if is_end_of_request {
            counters.requests.fetch_add(1, Ordering::Relaxed);
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {BODY_BYTES}\r\n\r\n")?;
            stream.write_all(&body)?;
        }
    }
    Ok(())
}
