//! Connections in the shape of TLS: the hello is whole, and of all other records the heads and sizes are right. A
//! handshake is no exchange; what is behind it counts. Where sends are not seen, each turn of it looks like one.

mod hello;
mod offered;
mod records;

use anyhow::Result;

use crate::{
    dialogue::{
        Line::{self, Answer, Client, ClientInParts, Peer, PeerUnread},
        at_once, speak,
    },
    expected::Close,
    http::tunnel,
    peer::Truth,
    scenario::Scenario,
};
use hello::Hello;
use records::{
    ALERT, HANDSHAKE, by_record, change_cipher_spec, data, data12, filled, finished, finished12, goodbye, goodbye12,
    padded, record,
};

const TLS: Close = Close { protocol: "tls", application: None, ..Close::USUAL };

/// Three requests behind a handshake of one turn, as most have it.
const USUAL: Close = Close { exchanges: 3, turns: Some(4), ..TLS };
/// Behind one of two turns.
const LONGER: Close = Close { turns: Some(5), ..USUAL };

pub(crate) fn all() -> impl Iterator<Item = &'static Scenario> {
    ALL.iter().chain(offered::ALL)
}

const ALL: &[Scenario] = &[
    Scenario::of("TLS 1.3", tickets_with_the_answer, &[(1, USUAL)]),
    Scenario::of("TLS 1.3, read in large pieces", read_at_once, &[(1, USUAL)]),
    Scenario::of("TLS 1.3, tickets read on their own", tickets_alone, &[(1, LONGER)]),
    Scenario::of("TLS 1.3, tickets sent with the first answer", tickets_late, &[(1, USUAL)]),
    Scenario::of("TLS 1.3, a certificate of the client's", certificate, &[(1, USUAL)]),
    Scenario::of("TLS 1.3, a certificate of the client's, each record sent alone", certificate_alone, &[(1, USUAL)]),
    Scenario::of(
        "TLS 1.3, a certificate of the client's and Finished in one record",
        certificate_packed,
        &[(1, Close { exact: false, ..USUAL })],
    ),
    Scenario::of("TLS 1.3, a certificate of the client's, each record a buffer", certificate_parts, &[(1, USUAL)]),
    Scenario::of("TLS 1.3, the hello asked for again", hello_again, &[(1, LONGER)]),
    Scenario::of("TLS 1.3, the cipher not changed", cipher_not_changed, &[(1, USUAL)]),
    Scenario::of("TLS 1.3, the request sent with Finished", request_with_finished, &[(1, USUAL)]),
    Scenario::of("TLS 1.3, the request a buffer behind Finished", request_behind_finished, &[(1, USUAL)]),
    // A goodbye that is answered: the fifth turn.
    Scenario::of("TLS 1.3, closed in order by both", goodbyes, &[(1, LONGER)]),
    Scenario::of("TLS 1.3, early data", early_data, &[(1, Close { exchanges: 2, exact: false, ..TLS })]),
    Scenario::of("TLS 1.2", tls12, &[(1, LONGER)]),
    Scenario::of("TLS 1.2, resumed", resumed12, &[(1, USUAL)]),
    Scenario::of("TLS 1.3 through a proxy's tunnel", through_tunnel, &[(1, LONGER)]),
    Scenario::of(
        "a TLS handshake that the client refuses",
        refused,
        &[(1, Close { exchanges: 0, turns: Some(1), ..TLS })],
    ),
];

/// The server's hello, and what it has encrypted: extensions, certificate, verification, Finished.
fn server_flight() -> Vec<u8> {
    [filled(HANDSHAKE, 122), change_cipher_spec(), data(10), data(2500), data(264), finished()].concat()
}

/// `HelloRetryRequest`.
fn retried() -> Vec<u8> {
    [filled(HANDSHAKE, 88), change_cipher_spec()].concat()
}

fn tickets() -> Vec<u8> {
    [data(233), data(233)].concat()
}

/// The handshake up to the tickets, which have come and are not read yet.
fn handshake(hello: Hello) -> Vec<Line> {
    handshake_ending([Client([change_cipher_spec(), finished()].concat())], hello)
}

/// With such an end of the client's.
fn handshake_ending(end: impl IntoIterator<Item = Line>, hello: Hello) -> Vec<Line> {
    let mut lines = vec![Client(hello.bytes()), Peer(server_flight())];
    lines.extend(end);
    lines.push(PeerUnread(tickets()));
    lines
}

fn answer() -> Line {
    Answer([data(100), data(1000)].concat())
}

/// So many requests with their answers.
fn requests(count: usize) -> impl Iterator<Item = Line> {
    (0..count).flat_map(|_| [Client(data(200)), answer()])
}

/// Three requests, and the alert of a close in order.
fn use_and_close(mut lines: Vec<Line>) -> Result<Truth> {
    lines.extend(requests(3));
    lines.push(Client(goodbye()));
    speak(lines, by_record)
}

fn tickets_with_the_answer() -> Result<Truth> {
    use_and_close(handshake(Hello::USUAL))
}

fn read_at_once() -> Result<Truth> {
    speak(handshake(Hello::USUAL).into_iter().chain(requests(3)).chain([Client(goodbye())]).collect(), at_once)
}

fn tickets_alone() -> Result<Truth> {
    use_and_close(vec![
        Client(Hello::USUAL.bytes()),
        Peer(server_flight()),
        Client([change_cipher_spec(), finished()].concat()),
        Peer(tickets()),
    ])
}

fn tickets_late() -> Result<Truth> {
    let finished = Client([change_cipher_spec(), finished()].concat());
    let mut lines = vec![Client(Hello::USUAL.bytes()), Peer(server_flight()), finished];
    lines.extend([Client(data(200)), Peer(tickets()), answer()]);
    lines.extend(requests(2));
    lines.push(Client(goodbye()));
    speak(lines, by_record)
}

/// Certificate, verification and Finished, behind the change of the cipher.
fn certified() -> [Vec<u8>; 4] {
    [change_cipher_spec(), data(1200), data(264), finished()]
}

fn certificate() -> Result<Truth> {
    use_and_close(handshake_ending([Client(certified().concat())], Hello::USUAL))
}

/// As Java does it.
fn certificate_alone() -> Result<Truth> {
    let mut lines = handshake_ending(certified().map(Client), Hello::USUAL);
    lines.extend((0..3).flat_map(|_| [Client(padded(200)), answer()]));
    lines.push(Client(padded(2)));
    speak(lines, by_record)
}

/// As BoringSSL, NSS and rustls do it: a request may be another part of the handshake, for all that is seen.
fn certificate_packed() -> Result<Truth> {
    use_and_close(handshake_ending([Client([change_cipher_spec(), data(1400)].concat())], Hello::USUAL))
}

/// As rustls did it.
fn certificate_parts() -> Result<Truth> {
    use_and_close(handshake_ending([ClientInParts(certified().to_vec())], Hello::USUAL))
}

fn hello_again() -> Result<Truth> {
    let mut lines = vec![
        Client(Hello::USUAL.bytes()),
        Peer(retried()),
        Client([change_cipher_spec(), Hello::USUAL.bytes()].concat()),
    ];
    lines.extend([Peer(server_flight()), Client(finished()), PeerUnread(tickets())]);
    use_and_close(lines)
}

/// Without the id of a session, and with a hash of 48 bytes.
fn cipher_not_changed() -> Result<Truth> {
    use_and_close(handshake_ending([Client(data(4 + 48))], Hello { has_session: false, ..Hello::USUAL }))
}

fn request_with_finished() -> Result<Truth> {
    request_sent_by(Client([change_cipher_spec(), finished(), data(200)].concat()))
}

fn request_behind_finished() -> Result<Truth> {
    request_sent_by(ClientInParts(vec![change_cipher_spec(), finished(), data(200)]))
}

fn request_sent_by(first: Line) -> Result<Truth> {
    let mut lines = vec![Client(Hello::USUAL.bytes()), Peer(server_flight()), first, Peer(tickets()), answer()];
    lines.extend(requests(2));
    lines.push(Client(goodbye()));
    speak(lines, by_record)
}

fn goodbyes() -> Result<Truth> {
    let mut lines = handshake(Hello::USUAL);
    lines.extend(requests(3));
    lines.extend([Client(goodbye()), Peer(goodbye())]);
    speak(lines, by_record)
}

/// A request before the server has said anything (0-RTT), which it answers with its flight.
fn early_data() -> Result<Truth> {
    let mut lines = vec![
        Client(Hello::USUAL.bytes()),
        Client([change_cipher_spec(), data(200)].concat()),
        PeerUnread(server_flight()),
        answer(),
        // The end of early data is a message without a body.
        Client([data(4), finished()].concat()),
    ];
    lines.extend(requests(1));
    lines.push(Client(goodbye()));
    speak(lines, by_record)
}

fn use_and_close12(mut lines: Vec<Line>) -> Result<Truth> {
    lines.extend((0..3).flat_map(|_| [Client(data12(200)), Answer([data12(100), data12(1000)].concat())]));
    lines.push(Client(goodbye12()));
    speak(lines, by_record)
}

fn tls12() -> Result<Truth> {
    use_and_close12(vec![
        Client(Hello::USUAL.bytes()),
        Peer([filled(HANDSHAKE, 61), filled(HANDSHAKE, 2500), filled(HANDSHAKE, 4)].concat()),
        Client([filled(HANDSHAKE, 37), change_cipher_spec(), finished12()].concat()),
        Peer([change_cipher_spec(), finished12()].concat()),
    ])
}

fn resumed12() -> Result<Truth> {
    use_and_close12(vec![
        Client(Hello::USUAL.bytes()),
        Peer([filled(HANDSHAKE, 90), change_cipher_spec(), finished12()].concat()),
        Client([change_cipher_spec(), finished12()].concat()),
    ])
}

fn through_tunnel() -> Result<Truth> {
    let mut lines = handshake(Hello::USUAL);
    lines.extend(requests(3));
    lines.push(Client(goodbye()));
    speak(tunnel(lines), at_once)
}

/// The certificate does not please the client, which says so and goes.
fn refused() -> Result<Truth> {
    speak(vec![Client(Hello::USUAL.bytes()), Peer(server_flight()), Client(record(ALERT, &[2, 48]))], by_record)
}
