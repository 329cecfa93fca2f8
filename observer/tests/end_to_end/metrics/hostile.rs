//! Hostile clients of the exporter: whatever they send, the watch continues to count, and Prometheus gets its answers.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{
    eventually, http,
    machine::{Machine, allow_open_files},
    metrics::{MeteredWatch, ask as ask_http, get},
    peer::{Peer, ask, connect},
    programs::program,
    sockets::{self, bound, reset_on_close},
};

/// The time limit for a request and for reading an answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A watch with an exporter and one watched connection, to verify that counting and scraping continue.
struct Victim<'a> {
    metered: MeteredWatch<'a>,
    peer: Peer,
    stream: TcpStream,
    asked: u64,
}

impl<'a> Victim<'a> {
    fn new(machine: &'a Machine) -> Self {
        let peer = Peer::echo();
        let metered = MeteredWatch::start(machine, &format!("-p {}", peer.port()));
        let stream = peer.connect();
        Self { metered, peer, stream, asked: 0 }
    }

    fn address(&self) -> SocketAddr {
        self.metered.address
    }

    /// Asserts that the watch still counts and the exporter still answers.
    fn assert_counting(&mut self) {
        ask(&mut self.stream);
        self.asked += 1;
        assert_eq!(get(self.address(), "/healthz", "").text(), "ok\n");
        let asked = self.asked;
        self.metered.scrape_until("the watch counts the exchange", |samples| samples.exchanges() == (1, asked - 1));
    }

    fn end(mut self) {
        self.assert_counting();
        drop(self.stream);
        self.peer.wait_for(1);
        let report = self.metered.end();
        report.assert_complete();
        report.assert_totals(&json!({ "opened": 1, "new": 1, "reused": self.asked - 1 }));
    }
}

/// Sends these bytes and reads to the end of the connection, ignoring errors. Returns the answer and the time that it
/// took.
fn send(address: SocketAddr, bytes: &[u8]) -> (Vec<u8>, Duration) {
    let started = Instant::now();
    let mut stream = connect(address);
    stream.set_write_timeout(Some(Duration::from_secs(5))).expect("cannot set the timeout");
    // The server may close before it has read everything.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..n]);
    }
    (answer, started.elapsed())
}

#[test]
fn malformed_requests_are_refused() {
    let machine = Machine::shared();
    let victim = Victim::new(&machine);
    let address = victim.address();
    let long = "x".repeat(200_000);
    let many = "h: x\r\n".repeat(1_000);
    for (request, statuses) in [
        (format!("GET /{long} HTTP/1.1\r\n\r\n"), [414, 431]),
        (format!("GET /metrics HTTP/1.1\r\nx: {long}\r\n\r\n"), [431, 431]),
        (format!("GET /metrics HTTP/1.1\r\n{many}\r\n"), [431, 431]),
        ("POST /metrics HTTP/1.1\r\ncontent-length: 999999999\r\n\r\nabc".into(), [405, 405]),
        ("GET /metrics HTTP/1.1\r\ncontent-length: 999999999\r\n\r\nabc".into(), [413, 413]),
        ("GET /metrics HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nfffffff\r\nabc".into(), [413, 413]),
        ("GET /metrics HTTP/1.1\r\ncontent-length: x\r\n\r\n".into(), [400, 400]),
        ("\0\0\0\r\n\r\n".into(), [400, 400]),
        ("hello\r\n\r\n".into(), [400, 400]),
    ] {
        let (answer, _) = send(address, request.as_bytes());
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
        // A client that is still sending when it is refused may lose the answer.
        let is_refused = status.map_or(request.len() > 100_000, |status| statuses.contains(&status));
        assert!(is_refused, "{:?} was answered: {answer}", &request[..request.len().min(60)]);
        assert_eq!(get(address, "/healthz", "").text(), "ok\n");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "x"] {
        let answer = ask_http(address, &format!("{method} /metrics HTTP/1.1\r\nhost: x\r\n\r\n"));
        assert_eq!((answer.status(), answer.header("allow")), (405, Some("get, head")), "{method}");
    }
    let (answer, _) = send(address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(answer.is_empty(), "HTTP/2 should be refused: {}", String::from_utf8_lossy(&answer));
    let mut curl = program("curl", "curl");
    let output = curl.args(["--silent", "--insecure", "--max-time", "5"]).arg(format!("https://{address}/metrics"));
    // CURLE_SSL_CONNECT_ERROR.
    assert_eq!(output.status().expect("cannot run curl").code(), Some(35), "TLS should be refused");
    victim.end();
}

#[test]
fn ten_thousand_consecutive_connections_are_survived() {
    let machine = Machine::alone();
    let mut victim = Victim::new(&machine);
    for n in 0..10_000 {
        let mut stream = connect(victim.address());
        // Avoids TIME_WAIT.
        reset_on_close(&stream);
        // Without a request, with half a request, and with a request whose answer is not read.
        stream.write_all([b"".as_slice(), b"GET /metr", b"GET /metrics HTTP/1.1\r\n\r\n"][n % 3]).expect("cannot send");
        // The kernel's queue holds this many: a connect beyond that is retried after one second.
        if n % 100 == 0 {
            assert_eq!(get(victim.address(), "/healthz", "").text(), "ok\n");
        }
        if n % 2_500 == 0 {
            victim.assert_counting();
        }
    }
    victim.end();
}

/// An idle connection does not gain priority from an earlier request: a new connection replaces it.
#[test]
fn idle_connections_make_room_for_new_ones() {
    const REQUEST: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let machine = Machine::shared();
    let mut victim = Victim::new(&machine);
    let asks = |stream: &mut TcpStream| {
        http::send(stream, REQUEST);
        http::read_answer(stream);
    };
    let mut holders: Vec<TcpStream> = (0..8).map(|_| connect(victim.address())).collect();
    holders.iter_mut().for_each(asks);
    let [mut first, mut second] = [(); 2].map(|()| connect(victim.address()));
    // By the time this request is answered, `first` would have lost its place if it was going to.
    asks(&mut second);
    asks(&mut first);
    victim.assert_counting();
    victim.end();
}

/// Clients at another address hold as many connections as they can get, busy ones and slow ones.
#[test]
fn peer_with_many_connections_closes_only_its_own() {
    const REQUEST: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let machine = Machine::shared();
    let mut victim = Victim::new(&machine);
    let mut scraper = connect(victim.address());
    http::send(&mut scraper, REQUEST);
    http::read_answer(&mut scraper);
    let mut held = Vec::new();
    for host in 2..=5 {
        for n in 0..20 {
            let socket = bound(SocketAddr::from(([127, 0, 0, host], 0)));
            sockets::connect(&socket, victim.address()).expect("cannot connect");
            let mut stream = TcpStream::from(socket);
            if n % 2 == 0 {
                http::send(&mut stream, REQUEST);
                http::read_answer(&mut stream);
            } else {
                http::send(&mut stream, "GET /metr");
            }
            held.push(stream);
        }
    }
    http::send(&mut scraper, REQUEST);
    http::read_answer(&mut scraper);
    victim.assert_counting();
    victim.end();
}

fn all_threads_are_stopped(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the watch is running").flatten();
    let status = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("status")).unwrap_or_default();
    threads.map(status).all(|status| status.contains("State:\tT"))
}

/// A burst of connections waits for the exporter, each with its request. None is closed for the next before it is answered.
#[test]
fn waiting_requests_are_answered_before_they_make_room() {
    const REQUEST: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let machine = Machine::shared();
    let victim = Victim::new(&machine);
    victim.metered.watch.tool.signal(Signal::STOP);
    eventually("all threads have stopped", || all_threads_are_stopped(victim.metered.watch.tool.id()));
    let mut waiting: Vec<TcpStream> = (0..60).map(|_| connect(victim.address())).collect();
    for stream in &mut waiting {
        http::send(stream, REQUEST);
    }
    victim.metered.watch.tool.signal(Signal::CONT);
    waiting.iter_mut().for_each(http::read_answer);
    victim.end();
}

/// The number of established connections at this listener's port.
fn open_at(port: u16) -> usize {
    const ESTABLISHED: &str = "01";
    let table = fs::read_to_string("/proc/self/net/tcp").expect("the kernel lists sockets");
    let is_open = |line: &&str| {
        let [_, local, _, state, ..] = line.split_whitespace().collect::<Vec<_>>()[..] else { return false };
        local.ends_with(&format!(":{port:04X}")) && state == ESTABLISHED
    };
    table.lines().filter(is_open).count()
}

/// Connections that stay open, with and without part of a request, neither block others nor stay forever.
#[test]
fn silent_and_slow_clients_are_cut_off() {
    let machine = Machine::shared();
    allow_open_files(2_000);
    let mut victim = Victim::new(&machine);
    let address = victim.address();
    let started = Instant::now();
    let mut silent: Vec<TcpStream> = (0..100).map(|_| connect(address)).collect();
    eventually("a peer's share of connections is served", || open_at(address.port()) == 8);
    for (n, stream) in silent.iter_mut().enumerate() {
        let begun = [b"".as_slice(), b"GET /metrics HTTP/1.1\r\nhost:", b"\x16\x03\x01\x02\x00\x01"][n % 3];
        // Most connections are closed already.
        let _ = stream.write_all(begun);
    }
    victim.assert_counting();
    // This client sends requests without reading answers, until its sends block.
    let mut deaf = connect(address);
    deaf.set_write_timeout(Some(Duration::from_millis(200))).expect("cannot set the timeout");
    while deaf.write_all(&b"GET /metrics HTTP/1.1\r\n\r\n".repeat(100)).is_ok() {}
    // This client sends one byte at a time.
    let mut slow = connect(address);
    while started.elapsed() < REQUEST_TIMEOUT + Duration::from_secs(1) {
        sleep(Duration::from_millis(500));
        let _ = slow.write_all(b"G");
        victim.assert_counting();
    }
    eventually("all connections are closed", || open_at(address.port()) == 0);
    victim.end();
}
