//! Protocols that a client offers by ALPN, and the protocol that it then speaks within TLS.

use anyhow::Result;

use super::{
    THREE_REQUESTS, TLS, answer, handshake, handshake_with_end,
    hello::Hello,
    hello_retry,
    records::{
        HANDSHAKE, change_cipher_spec, close_notify, data, data_chacha, filled, finished, finished_chacha, padded,
        read_by_record,
    },
    server_flight, tickets, use_and_close,
};
use crate::{
    dialogue::{
        Line::{self, Answer, Client, Peer, PeerUnread},
        play,
    },
    expected::Close,
    peer::Truth,
    scenario::Scenario,
};

/// An upload that waits for `100 Continue`, and a request.
const CONTINUED: Close = Close { exchanges: 2, turns: Some(4), ..TLS };

/// Two requests. The HTTP/2 settings, which both sides acknowledge, are a turn of their own.
const HTTP2: Close = Close {
    exchanges: 3,
    requests: Some(2),
    turns: Some(4),
    protocol: "http2",
    application: Some("http2"),
    exact: false,
    ..TLS
};

/// The same after a handshake of two turns.
const HTTP2_TWO_TURNS: Close = Close { turns: Some(5), ..HTTP2 };

pub(super) const ALL: &[Scenario] = &[
    Scenario::new("TLS 1.3, only HTTP/1.1 offered", http1_alone, &[(1, THREE_REQUESTS)]),
    Scenario::new("TLS 1.3, only HTTP/1.1 offered, 100 Continue", continued, &[(1, CONTINUED)]),
    Scenario::new("TLS 1.3, HTTP/2 offered, HTTP/1.1 spoken", http1, &[(1, THREE_REQUESTS)]),
    Scenario::new("TLS 1.3, HTTP/1.1 offered, HTTP/2 spoken", http2, &[(1, HTTP2)]),
    Scenario::new("TLS 1.3, only HTTP/2 offered", http2_alone, &[(1, HTTP2)]),
    Scenario::new("TLS 1.3, HTTP/2 by Java", http2_by_java, &[(1, HTTP2)]),
    Scenario::new("TLS 1.3, HelloRetryRequest, HTTP/2 by Go", http2_by_go, &[(1, HTTP2_TWO_TURNS)]),
    Scenario::new("TLS 1.2 with ChaCha20, HTTP/2 spoken", http2_chacha, &[(1, HTTP2_TWO_TURNS)]),
];

const BOTH: Hello = Hello { protocols: &["h2", "http/1.1"], ..Hello::TYPICAL };

fn http1_alone() -> Result<Truth> {
    use_and_close(handshake(Hello { protocols: &["http/1.1"], ..Hello::TYPICAL }))
}

fn continued() -> Result<Truth> {
    let mut lines = handshake(Hello { protocols: &["http/1.1"], ..Hello::TYPICAL });
    let go_on = Peer(data("HTTP/1.1 100 Continue\r\n\r\n".len()));
    lines.extend([Client(data(120)), go_on, Client(data(10_000)), answer()]);
    lines.extend([Client(data(200)), answer(), Client(close_notify())]);
    play(lines, read_by_record)
}

fn http1() -> Result<Truth> {
    use_and_close(handshake(BOTH))
}

fn http2() -> Result<Truth> {
    speak_http2(handshake(BOTH), data)
}

fn http2_alone() -> Result<Truth> {
    speak_http2(handshake(Hello { protocols: &["h2"], ..Hello::TYPICAL }), data)
}

fn http2_by_java() -> Result<Truth> {
    speak_http2(handshake_with_end([change_cipher_spec(), finished()].map(Client), BOTH), padded)
}

/// Go sends `ChangeCipherSpec` alone only after a `HelloRetryRequest`, and adds no padding.
fn http2_by_go() -> Result<Truth> {
    let mut lines = vec![Client(BOTH.bytes()), Peer(hello_retry())];
    lines.extend([Client(change_cipher_spec()), Client(BOTH.bytes())]);
    lines.extend([Peer(server_flight()), Client(finished()), PeerUnread(tickets())]);
    speak_http2(lines, data)
}

fn http2_chacha() -> Result<Truth> {
    let lines = vec![
        Client(BOTH.bytes()),
        Peer([filled(HANDSHAKE, 61), filled(HANDSHAKE, 2500), filled(HANDSHAKE, 4)].concat()),
        Client([filled(HANDSHAKE, 37), change_cipher_spec(), finished_chacha()].concat()),
        Peer([change_cipher_spec(), finished_chacha()].concat()),
    ];
    speak_http2(lines, data_chacha)
}

/// Plays HTTP/2 within records that `sealed` makes of a given length. The client closes without a close_notify, so its
/// acknowledgement of the settings is the only sign of HTTP/2.
fn speak_http2(mut lines: Vec<Line>, sealed: fn(usize) -> Vec<u8>) -> Result<Truth> {
    lines.extend([
        // Preface, settings and a window update; then a request.
        Client(sealed(24 + 27 + 13)),
        Client(sealed(70)),
        // Settings, and the acknowledgement of the client's.
        Peer([sealed(21), sealed(9)].concat()),
        Client(sealed(9)),
        Answer([sealed(100), sealed(1000)].concat()),
        Client(sealed(40)),
        Answer([sealed(100), sealed(1000)].concat()),
    ]);
    play(lines, read_by_record)
}
