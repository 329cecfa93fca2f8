//! What a client offers to speak within TLS (ALPN), and what it then speaks.

use anyhow::Result;

use super::{
    TLS, USUAL, answer, handshake, handshake_ending,
    hello::Hello,
    records::{
        HANDSHAKE, by_record, change_cipher_spec, data, data_chacha, filled, finished, finished_chacha, goodbye, padded,
    },
    retried, server_flight, tickets, use_and_close,
};
use crate::{
    dialogue::{
        Line::{self, Answer, Client, Peer, PeerUnread},
        speak,
    },
    expected::Close,
    peer::Truth,
    scenario::Scenario,
};

/// An upload that waits until it is asked for, and a request.
const CONTINUED: Close = Close { exchanges: 2, turns: Some(4), ..TLS };

/// Two requests; HTTP/2's settings, which both sides acknowledge, make a turn of their own.
const HTTP2: Close = Close {
    exchanges: 3,
    requests: Some(2),
    turns: Some(4),
    protocol: "http2",
    application: Some("http2"),
    exact: false,
    ..TLS
};

/// Behind a handshake of two turns.
const HTTP2_LONGER: Close = Close { turns: Some(5), ..HTTP2 };

pub(super) const ALL: &[Scenario] = &[
    Scenario::of("TLS 1.3, only HTTP/1.1 offered", http1_alone, &[(1, USUAL)]),
    Scenario::of("TLS 1.3, only HTTP/1.1 offered, 100 Continue", continued, &[(1, CONTINUED)]),
    Scenario::of("TLS 1.3, HTTP/2 offered, HTTP/1.1 spoken", http1, &[(1, USUAL)]),
    Scenario::of("TLS 1.3, HTTP/1.1 offered, HTTP/2 spoken", http2, &[(1, HTTP2)]),
    Scenario::of("TLS 1.3, only HTTP/2 offered", http2_alone, &[(1, HTTP2)]),
    Scenario::of("TLS 1.3, HTTP/2 as Java speaks it", http2_by_java, &[(1, HTTP2)]),
    Scenario::of("TLS 1.3, the hello asked for again, HTTP/2 as Go speaks it", http2_by_go, &[(1, HTTP2_LONGER)]),
    Scenario::of("TLS 1.2 with ChaCha20, HTTP/2 spoken", http2_chacha, &[(1, HTTP2_LONGER)]),
];

const BOTH: Hello = Hello { protocols: &["h2", "http/1.1"], ..Hello::USUAL };

fn http1_alone() -> Result<Truth> {
    use_and_close(handshake(Hello { protocols: &["http/1.1"], ..Hello::USUAL }))
}

fn continued() -> Result<Truth> {
    let mut lines = handshake(Hello { protocols: &["http/1.1"], ..Hello::USUAL });
    let go_on = Peer(data("HTTP/1.1 100 Continue\r\n\r\n".len()));
    lines.extend([Client(data(120)), go_on, Client(data(10_000)), answer()]);
    lines.extend([Client(data(200)), answer(), Client(goodbye())]);
    speak(lines, by_record)
}

fn http1() -> Result<Truth> {
    use_and_close(handshake(BOTH))
}

fn http2() -> Result<Truth> {
    speak_http2(handshake(BOTH), data)
}

fn http2_alone() -> Result<Truth> {
    speak_http2(handshake(Hello { protocols: &["h2"], ..Hello::USUAL }), data)
}

fn http2_by_java() -> Result<Truth> {
    speak_http2(handshake_ending([change_cipher_spec(), finished()].map(Client), BOTH), padded)
}

/// Go changes the cipher by a send of its own only here, and pads nothing.
fn http2_by_go() -> Result<Truth> {
    let mut lines = vec![Client(BOTH.bytes()), Peer(retried())];
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

/// The client closes without a word, so that its acknowledgement is the only sign. `sealed`: a record of what has so
/// many bytes.
fn speak_http2(mut lines: Vec<Line>, sealed: fn(usize) -> Vec<u8>) -> Result<Truth> {
    lines.extend([
        // Preface, settings and the update of a window; then a request.
        Client(sealed(24 + 27 + 13)),
        Client(sealed(70)),
        // Settings, and their acknowledgement.
        Peer([sealed(21), sealed(9)].concat()),
        Client(sealed(9)),
        Answer([sealed(100), sealed(1000)].concat()),
        Client(sealed(40)),
        Answer([sealed(100), sealed(1000)].concat()),
    ]);
    speak(lines, by_record)
}
