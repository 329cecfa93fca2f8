//! Connections that look like TLS: the `ClientHello` is complete, and all other records have real headers and sizes. A
//! handshake is not an exchange; what follows it counts. Without hooks that see sends, each turn of the handshake looks
//! like an exchange.

mod hello;
mod offered;
mod records;

use anyhow::Result;

use crate::{
    dialogue::{
        Line::{self, Answer, Client, ClientInParts, Peer, PeerUnread},
        play, read_at_once,
    },
    expected::Close,
    http::tunnel,
    peer::Truth,
    scenario::Scenario,
};
use hello::Hello;
use records::{
    ALERT, HANDSHAKE, change_cipher_spec, close_notify, close_notify12, data, data12, filled, finished, finished12,
    padded, read_by_record, record,
};

const TLS: Close = Close { protocol: "tls", application: None, ..Close::TYPICAL };

/// Three requests after a handshake of one turn, which is the common case.
const THREE_REQUESTS: Close = Close { exchanges: 3, turns: Some(4), ..TLS };
/// Three requests after a handshake of two turns.
const TWO_TURNS: Close = Close { turns: Some(5), ..THREE_REQUESTS };

pub(crate) fn all() -> impl Iterator<Item = &'static Scenario> {
    ALL.iter().chain(offered::ALL)
}

const ALL: &[Scenario] = &[
    Scenario::new("TLS 1.3", tickets_with_the_answer, &[(1, THREE_REQUESTS)]),
    Scenario::new("TLS 1.3, read in large pieces", large_reads, &[(1, THREE_REQUESTS)]),
    Scenario::new("TLS 1.3, tickets read alone", tickets_alone, &[(1, TWO_TURNS)]),
    Scenario::new("TLS 1.3, tickets sent with the first answer", tickets_late, &[(1, THREE_REQUESTS)]),
    Scenario::new("TLS 1.3, client certificate", certificate, &[(1, THREE_REQUESTS)]),
    Scenario::new(
        "TLS 1.3, client certificate, each record in its own send",
        certificate_alone,
        &[(1, THREE_REQUESTS)],
    ),
    Scenario::new(
        "TLS 1.3, client certificate and Finished in one record",
        certificate_packed,
        &[(1, Close { exact: false, ..THREE_REQUESTS })],
    ),
    Scenario::new(
        "TLS 1.3, client certificate, each record in its own buffer",
        certificate_parts,
        &[(1, THREE_REQUESTS)],
    ),
    Scenario::new("TLS 1.3, HelloRetryRequest", hello_retry_request, &[(1, TWO_TURNS)]),
    Scenario::new("TLS 1.3, no ChangeCipherSpec", cipher_not_changed, &[(1, THREE_REQUESTS)]),
    Scenario::new("TLS 1.3, request sent with Finished", request_with_finished, &[(1, THREE_REQUESTS)]),
    Scenario::new("TLS 1.3, request in a buffer after Finished", request_behind_finished, &[(1, THREE_REQUESTS)]),
    // The answered close_notify is the fifth turn.
    Scenario::new("TLS 1.3, close_notify from both sides", closed_by_both, &[(1, TWO_TURNS)]),
    Scenario::new("TLS 1.3, early data", early_data, &[(1, Close { exchanges: 2, exact: false, ..TLS })]),
    Scenario::new("TLS 1.2", tls12, &[(1, TWO_TURNS)]),
    Scenario::new("TLS 1.2, resumed", resumed12, &[(1, THREE_REQUESTS)]),
    Scenario::new("TLS 1.3 through a proxy tunnel", through_tunnel, &[(1, TWO_TURNS)]),
    Scenario::new(
        "TLS handshake refused by the client",
        refused,
        &[(1, Close { exchanges: 0, turns: Some(1), ..TLS })],
    ),
];

/// `ServerHello`, then the encrypted extensions, certificate, verification and Finished.
fn server_flight() -> Vec<u8> {
    [filled(HANDSHAKE, 122), change_cipher_spec(), data(10), data(2500), data(264), finished()].concat()
}

/// `HelloRetryRequest`.
fn hello_retry() -> Vec<u8> {
    [filled(HANDSHAKE, 88), change_cipher_spec()].concat()
}

fn tickets() -> Vec<u8> {
    [data(233), data(233)].concat()
}

/// The handshake up to the tickets, which have arrived unread.
fn handshake(hello: Hello) -> Vec<Line> {
    handshake_with_end([Client([change_cipher_spec(), finished()].concat())], hello)
}

/// The same handshake, with these lines as the client's last flight.
fn handshake_with_end(end: impl IntoIterator<Item = Line>, hello: Hello) -> Vec<Line> {
    let mut lines = vec![Client(hello.bytes()), Peer(server_flight())];
    lines.extend(end);
    lines.push(PeerUnread(tickets()));
    lines
}

fn answer() -> Line {
    Answer([data(100), data(1000)].concat())
}

/// A number of requests with their answers.
fn requests(count: usize) -> impl Iterator<Item = Line> {
    (0..count).flat_map(|_| [Client(data(200)), answer()])
}

/// Appends three requests and a close_notify, and plays the lines.
fn use_and_close(mut lines: Vec<Line>) -> Result<Truth> {
    lines.extend(requests(3));
    lines.push(Client(close_notify()));
    play(lines, read_by_record)
}

fn tickets_with_the_answer() -> Result<Truth> {
    use_and_close(handshake(Hello::TYPICAL))
}

fn large_reads() -> Result<Truth> {
    play(
        handshake(Hello::TYPICAL).into_iter().chain(requests(3)).chain([Client(close_notify())]).collect(),
        read_at_once,
    )
}

fn tickets_alone() -> Result<Truth> {
    use_and_close(vec![
        Client(Hello::TYPICAL.bytes()),
        Peer(server_flight()),
        Client([change_cipher_spec(), finished()].concat()),
        Peer(tickets()),
    ])
}

fn tickets_late() -> Result<Truth> {
    let finished = Client([change_cipher_spec(), finished()].concat());
    let mut lines = vec![Client(Hello::TYPICAL.bytes()), Peer(server_flight()), finished];
    lines.extend([Client(data(200)), Peer(tickets()), answer()]);
    lines.extend(requests(2));
    lines.push(Client(close_notify()));
    play(lines, read_by_record)
}

/// `ChangeCipherSpec`, certificate, verification and Finished.
fn client_flight() -> [Vec<u8>; 4] {
    [change_cipher_spec(), data(1200), data(264), finished()]
}

fn certificate() -> Result<Truth> {
    use_and_close(handshake_with_end([Client(client_flight().concat())], Hello::TYPICAL))
}

/// Java sends these records like this.
fn certificate_alone() -> Result<Truth> {
    let mut lines = handshake_with_end(client_flight().map(Client), Hello::TYPICAL);
    lines.extend((0..3).flat_map(|_| [Client(padded(200)), answer()]));
    lines.push(Client(padded(2)));
    play(lines, read_by_record)
}

/// BoringSSL, NSS and rustls do this. The next request could be another part of the handshake, so the connection is
/// marked.
fn certificate_packed() -> Result<Truth> {
    use_and_close(handshake_with_end([Client([change_cipher_spec(), data(1400)].concat())], Hello::TYPICAL))
}

/// Older rustls did this.
fn certificate_parts() -> Result<Truth> {
    use_and_close(handshake_with_end([ClientInParts(client_flight().to_vec())], Hello::TYPICAL))
}

fn hello_retry_request() -> Result<Truth> {
    let mut lines = vec![
        Client(Hello::TYPICAL.bytes()),
        Peer(hello_retry()),
        Client([change_cipher_spec(), Hello::TYPICAL.bytes()].concat()),
    ];
    lines.extend([Peer(server_flight()), Client(finished()), PeerUnread(tickets())]);
    use_and_close(lines)
}

/// Without a session id, and with a hash of 48 bytes.
fn cipher_not_changed() -> Result<Truth> {
    use_and_close(handshake_with_end([Client(data(4 + 48))], Hello { has_session: false, ..Hello::TYPICAL }))
}

fn request_with_finished() -> Result<Truth> {
    request_sent_by(Client([change_cipher_spec(), finished(), data(200)].concat()))
}

fn request_behind_finished() -> Result<Truth> {
    request_sent_by(ClientInParts(vec![change_cipher_spec(), finished(), data(200)]))
}

fn request_sent_by(first: Line) -> Result<Truth> {
    let mut lines = vec![Client(Hello::TYPICAL.bytes()), Peer(server_flight()), first, Peer(tickets()), answer()];
    lines.extend(requests(2));
    lines.push(Client(close_notify()));
    play(lines, read_by_record)
}

fn closed_by_both() -> Result<Truth> {
    let mut lines = handshake(Hello::TYPICAL);
    lines.extend(requests(3));
    lines.extend([Client(close_notify()), Peer(close_notify())]);
    play(lines, read_by_record)
}

/// A request before the server's first flight (0-RTT). The server answers it after the flight.
fn early_data() -> Result<Truth> {
    let mut lines = vec![
        Client(Hello::TYPICAL.bytes()),
        Client([change_cipher_spec(), data(200)].concat()),
        PeerUnread(server_flight()),
        answer(),
        // EndOfEarlyData has no body.
        Client([data(4), finished()].concat()),
    ];
    lines.extend(requests(1));
    lines.push(Client(close_notify()));
    play(lines, read_by_record)
}

fn use_and_close12(mut lines: Vec<Line>) -> Result<Truth> {
    lines.extend((0..3).flat_map(|_| [Client(data12(200)), Answer([data12(100), data12(1000)].concat())]));
    lines.push(Client(close_notify12()));
    play(lines, read_by_record)
}

fn tls12() -> Result<Truth> {
    use_and_close12(vec![
        Client(Hello::TYPICAL.bytes()),
        Peer([filled(HANDSHAKE, 61), filled(HANDSHAKE, 2500), filled(HANDSHAKE, 4)].concat()),
        Client([filled(HANDSHAKE, 37), change_cipher_spec(), finished12()].concat()),
        Peer([change_cipher_spec(), finished12()].concat()),
    ])
}

fn resumed12() -> Result<Truth> {
    use_and_close12(vec![
        Client(Hello::TYPICAL.bytes()),
        Peer([filled(HANDSHAKE, 90), change_cipher_spec(), finished12()].concat()),
        Client([change_cipher_spec(), finished12()].concat()),
    ])
}

fn through_tunnel() -> Result<Truth> {
    let mut lines = handshake(Hello::TYPICAL);
    lines.extend(requests(3));
    lines.push(Client(close_notify()));
    play(tunnel(lines), read_at_once)
}

/// The client rejects the certificate with an alert and closes.
fn refused() -> Result<Truth> {
    play(vec![Client(Hello::TYPICAL.bytes()), Peer(server_flight()), Client(record(ALERT, &[2, 48]))], read_by_record)
}
