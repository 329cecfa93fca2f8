//! Peers on loopback, within the test: each accepts, talks as the test wants, and counts what it accepted and what has
//! ended. The clients are plain `std::net`.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use super::eventually;

/// The shortest request of HTTP/1.1. An echo answers it with itself.
pub(crate) const REQUEST: &[u8; 18] = b"GET / HTTP/1.1\r\n\r\n";

/// Nothing here waits forever: a test that waits has failed.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    accepted: AtomicU64,
    done: AtomicU64,
}

impl Peer {
    /// On a port of its own. `talk` has each connection in a thread of its own, and closes it by coming back.
    pub(crate) fn new(talk: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0", talk)
    }

    pub(crate) fn at(address: &str, talk: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind(address).unwrap_or_else(|error| panic!("cannot listen on {address}: {error}")), talk)
    }

    pub(crate) fn on(listener: TcpListener, talk: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().expect("a listener has an address");
        let counts = Arc::<Counts>::default();
        let shared = Arc::clone(&counts);
        thread::spawn(move || {
            let talk = Arc::new(talk);
            for stream in listener.incoming() {
                let stream = stream.expect("a connection can be accepted");
                stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
                shared.accepted.fetch_add(1, SeqCst);
                let (talk, shared) = (Arc::clone(&talk), Arc::clone(&shared));
                thread::spawn(move || {
                    talk(stream);
                    shared.done.fetch_add(1, SeqCst);
                });
            }
        });
        Self { address, counts }
    }

    /// Answers each request with itself, until the client closes.
    pub(crate) fn echo() -> Self {
        Self::new(echo)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    pub(crate) fn accepted(&self) -> u64 {
        self.counts.accepted.load(SeqCst)
    }

    /// Waits until it has closed this many.
    pub(crate) fn wait_for_done(&self, connections: u64) {
        eventually("the peer has closed them", || self.counts.done.load(SeqCst) == connections);
    }

    /// Waits until it has accepted and closed this many.
    pub(crate) fn wait_for(&self, connections: u64) {
        self.wait_for_done(connections);
        assert_eq!(self.accepted(), connections, "connections that the peer accepted");
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream
}

pub(crate) fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    // A reset by the client is an end as good as any.
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..n]).is_err() {
            return;
        }
    }
}

/// As many connections, each with an exchange.
pub(crate) fn visit(peer: &Peer, times: u64) {
    (0..times).for_each(|_| ask(&mut peer.connect()));
}

/// One request to an echo, and its answer.
pub(crate) fn ask(stream: &mut (impl Read + Write)) {
    send_request(stream);
    read_answer(stream);
}

pub(crate) fn send_request(stream: &mut impl Write) {
    stream.write_all(REQUEST).expect("a request can be sent");
}

pub(crate) fn read_answer(stream: &mut impl Read) {
    let mut answer = [0; REQUEST.len()];
    stream.read_exact(&mut answer).expect("an answer comes");
    assert_eq!(&answer, REQUEST);
}

/// The peer's side of [`send_request`].
pub(crate) fn read_request(stream: &mut impl Read) {
    let mut request = [0; REQUEST.len()];
    stream.read_exact(&mut request).expect("a request comes");
    assert_eq!(&request, REQUEST);
}

/// The peer's side of [`read_answer`].
pub(crate) fn send_answer(stream: &mut impl Write) {
    stream.write_all(REQUEST).expect("the client takes the answer");
}

/// What bash does to ask an echo at this port. It writes line by line, in two sends.
pub(crate) fn ask_by_bash(port: u16) -> String {
    format!(
        r"exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'GET / HTTP/1.1\r\n\r\n' >&3; read -r line <&3; read -r line <&3"
    )
}
