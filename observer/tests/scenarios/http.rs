//! HTTP in the clear: which sends are requests and which are not.

use anyhow::Result;

use crate::{
    dialogue::{
        Line::{self, Answer, Client, Peer},
        play, read_at_once,
    },
    expected::Close,
    peer::Truth,
    scenario::Scenario,
};

const TWO: Close = Close { exchanges: 2, ..Close::TYPICAL };
const HTTP2: Close = Close { protocol: "http2", application: Some("http2"), ..Close::TYPICAL };

pub(crate) const ALL: &[Scenario] = &[
    Scenario::new("HTTP, 100 Continue", continued, &[(1, Close { turns: Some(3), ..TWO })]),
    Scenario::new("HTTP, upload answered early", answered_early, &[(1, TWO)]),
    Scenario::new("HTTP, body that looks like requests", body_like_requests, &[(1, Close { turns: Some(3), ..TWO })]),
    // Three requests in one send are counted as one exchange.
    Scenario::new("HTTP, pipelined in one send", in_one_send, &[(1, Close { requests: Some(4), exact: false, ..TWO })]),
    // Two requests before the first answer are counted as one exchange.
    Scenario::new("HTTP, pipelined", pipelined, &[(1, Close { requests: Some(3), exact: false, ..TWO })]),
    Scenario::new("HTTP through a proxy tunnel", through_tunnel, &[(1, Close { turns: Some(3), ..TWO })]),
    Scenario::new(
        "WebSocket",
        web_socket,
        &[(1, Close { turns: Some(3), application: Some("websocket"), ..Close::TYPICAL })],
    ),
    // The settings are a turn of their own.
    Scenario::new(
        "HTTP/2 in the clear",
        http2,
        &[(1, Close { exchanges: 3, requests: Some(2), exact: false, ..HTTP2 })],
    ),
];

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn get() -> Line {
    Client(GET.to_vec())
}

fn answer() -> Line {
    Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec())
}

fn put() -> Line {
    Client(b"PUT /file HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\nExpect: 100-continue\r\n\r\n".to_vec())
}

fn body(bytes: usize) -> Line {
    Client(vec![b'.'; bytes])
}

fn continued() -> Result<Truth> {
    let go_on = Peer(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec());
    play(vec![put(), go_on, body(10_000), answer(), get(), answer()], read_at_once)
}

fn answered_early() -> Result<Truth> {
    play(vec![put(), body(4_000), answer(), body(6_000), get(), answer()], read_at_once)
}

/// The body is sent line by line, after `100 Continue`.
fn body_like_requests() -> Result<Truth> {
    const LINE: &[u8] = b"GET /file HTTP/1.1\r\n";
    let go_on = Peer(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec());
    let body = (0..10_000 / LINE.len()).map(|_| Client(LINE.to_vec()));
    play([put(), go_on].into_iter().chain(body).chain([answer(), get(), answer()]).collect(), read_at_once)
}

fn in_one_send() -> Result<Truth> {
    play(vec![Client(GET.repeat(3)), answer(), answer(), answer(), get(), answer()], read_at_once)
}

fn pipelined() -> Result<Truth> {
    play(vec![get(), get(), answer(), answer(), get(), answer()], read_at_once)
}

fn through_tunnel() -> Result<Truth> {
    play(tunnel(vec![get(), answer(), get(), answer()]), read_at_once)
}

/// The same lines through a proxy.
pub(crate) fn tunnel(lines: Vec<Line>) -> Vec<Line> {
    let connect = Client(b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n".to_vec());
    let connected = Peer(b"HTTP/1.1 200 Connection established\r\n\r\n".to_vec());
    [connect, connected].into_iter().chain(lines).collect()
}

fn web_socket() -> Result<Truth> {
    let upgrade = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let upgraded = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    // Five bytes of text, which the client masks.
    let frame = || Client(b"\x81\x85\x01\x02\x03\x04igohn".to_vec());
    let echo = || Peer(b"\x81\x05hello".to_vec());
    play(vec![Client(upgrade.to_vec()), Answer(upgraded.to_vec()), frame(), echo(), frame(), echo()], read_at_once)
}

/// An HTTP/2 frame with a payload of zeros (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u8, bytes: u8) -> Vec<u8> {
    [vec![0, 0, bytes, kind, flags, 0, 0, 0, stream], vec![0; usize::from(bytes)]].concat()
}

fn http2() -> Result<Truth> {
    let settings = || frame(4, 0, 0, 18);
    let acknowledged = || frame(4, 1, 0, 0);
    let headers = |stream| frame(1, 5, stream, 40);
    let answer = |stream| Answer([frame(1, 4, stream, 30), frame(0, 1, stream, 100)].concat());
    let lines = vec![
        Client([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), settings(), headers(1)].concat()),
        Peer([settings(), acknowledged()].concat()),
        Client(acknowledged()),
        answer(1),
        Client(headers(3)),
        answer(3),
    ];
    play(lines, read_at_once)
}
