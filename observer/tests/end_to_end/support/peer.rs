//! Peers on loopback, inside the test: each accepts connections, runs the test's function on them, and counts accepted
//! and finished connections. The clients are plain `std::net`.

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

use super::{
    eventually,
    http::send,
    socket_table::{TIME_WAIT, await_fins, states},
};

/// The shortest HTTP/1.1 request. An echo peer sends it back as its answer.
pub(crate) const REQUEST: &[u8; 18] = b"GET / HTTP/1.1\r\n\r\n";

/// Bounds every wait: a test that waits this long has failed.
const TIMEOUT: Duration = Duration::from_mins(2);

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
    /// Listens on a free port. `talk` runs in a thread for each connection, and closes it by returning.
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
                let stream = stream.expect("cannot accept a connection");
                stream.set_read_timeout(Some(TIMEOUT)).expect("cannot set the timeout");
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

    /// Echoes each request until the client closes.
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

    /// Waits until the peer has closed this many connections, and the kernel has delivered its FINs.
    pub(crate) fn wait_for_done(&self, connections: u64) {
        eventually("the peer has closed its connections", || self.counts.done.load(SeqCst) == connections);
        await_fins(&[self.port()]);
    }

    /// Like [`Self::wait_for`], but waits until the kernel has closed the clients' sockets too. One that the peer closed
    /// first outlives its own close by a packet.
    pub(crate) fn wait_until_gone(&self, connections: u64) {
        self.wait_for(connections);
        eventually("the clients' sockets are gone", || states(self.port()).iter().all(|state| state == TIME_WAIT));
    }

    /// Waits until the peer has accepted and closed exactly this many connections.
    pub(crate) fn wait_for(&self, connections: u64) {
        self.wait_for_done(connections);
        assert_eq!(self.accepted(), connections, "connections that the peer accepted");
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
    stream.set_read_timeout(Some(TIMEOUT)).expect("cannot set the timeout");
    stream
}

pub(crate) fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    // A reset by the client ends the connection just as well.
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..n]).is_err() {
            return;
        }
    }
}

/// Opens this many connections, with one exchange on each.
pub(crate) fn visit(peer: &Peer, times: u64) {
    (0..times).for_each(|_| ask(&mut peer.connect()));
}

/// Sends one request to an echo peer, and reads the answer.
pub(crate) fn ask(stream: &mut (impl Read + Write)) {
    send_request(stream);
    read_answer(stream);
}

pub(crate) fn send_request(stream: &mut impl Write) {
    send(stream, REQUEST);
}

pub(crate) fn read_answer(stream: &mut impl Read) {
    let mut answer = [0; REQUEST.len()];
    stream.read_exact(&mut answer).expect("cannot read the answer");
    assert_eq!(&answer, REQUEST);
}

/// The peer's side of [`send_request`].
pub(crate) fn read_request(stream: &mut impl Read) {
    let mut request = [0; REQUEST.len()];
    stream.read_exact(&mut request).expect("cannot read the request");
    assert_eq!(&request, REQUEST);
}

/// The peer's side of [`read_answer`].
pub(crate) fn send_answer(stream: &mut impl Write) {
    stream.write_all(REQUEST).expect("cannot send the answer");
}

/// The bash commands that ask an echo peer at this port once. bash writes line by line, in two sends.
pub(crate) fn bash_request(port: u16) -> String {
    format!(
        r"exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'GET / HTTP/1.1\r\n\r\n' >&3; read -r line <&3; read -r line <&3"
    )
}
