//! Protocols with a set-up phase before the first request: a greeting of the server, or PostgreSQL's messages.

use std::{io::Read, net::TcpStream};

use serde_json::json;

use crate::support::{
    conversation::{Conversation, converse_once},
    http::send,
    report::assert_fields,
};

fn receive<const LENGTH: usize>(stream: &mut impl Read) -> Option<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    stream.read_exact(&mut bytes).is_ok().then_some(bytes)
}

/// A server that greets, and a client that sends EHLO and then these lines. The peer counts the lines after EHLO.
fn after_a_greeting(lines: &'static [&str]) -> Conversation {
    fn read_line(stream: &mut TcpStream) -> Option<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.extend(receive::<1>(stream)?);
        }
        Some(String::from_utf8(line).expect("the line is UTF-8"))
    }
    converse_once(
        |mut stream| {
            send(&mut stream, "220 here\r\n");
            assert_eq!(read_line(&mut stream).as_deref(), Some("EHLO me\r\n"));
            send(&mut stream, "250-here\r\n250 PIPELINING\r\n");
            let mut asked = 0;
            while read_line(&mut stream).is_some() {
                asked += 1;
                send(&mut stream, "250 OK\r\n");
            }
            asked
        },
        |mut stream| {
            assert_eq!(read_line(&mut stream).as_deref(), Some("220 here\r\n"));
            send(&mut stream, "EHLO me\r\n");
            (0..2).for_each(|_| assert!(read_line(&mut stream).is_some()));
            for line in lines {
                send(&mut stream, format!("{line}\r\n"));
                assert!(read_line(&mut stream).is_some());
            }
        },
    )
}

/// In general the tool cannot know whether a turn after a greeting belongs to the set-up.
#[test]
fn turn_after_a_greeting_is_set_up() {
    let conversation = after_a_greeting(&["MAIL FROM:<>", "RCPT TO:<you>", "QUIT"]);
    assert_eq!((conversation.asked, conversation.exchanges()), (3, 3));
    conversation.assert_marked();
    assert_fields(conversation.report.only("close"), &json!({ "protocol": "plain", "reused": 2 }));
}

#[test]
fn connection_with_only_set_up_is_unused() {
    let conversation = after_a_greeting(&[]);
    assert_eq!((conversation.asked, conversation.exchanges()), (0, 0));
    conversation.assert_marked();
    conversation.report.assert_totals(&json!({ "unused": 1 }));
}

/// The greeting arrives before the client reads, and the client reads it together with the first answer.
#[test]
fn late_read_of_a_greeting_is_counted_right_or_marked() {
    let conversation = converse_once(
        |mut stream| {
            send(&mut stream, "220 here\r\n");
            let mut asked = 0;
            while receive::<6>(&mut stream).is_some() {
                asked += 1;
                send(&mut stream, "250 OK\r\n");
            }
            asked
        },
        |mut stream| {
            // The greeting is in the receive queue.
            assert_eq!(stream.peek(&mut [0; 10]).expect("cannot read the greeting"), 10);
            send(&mut stream, "NOOP\r\n");
            receive::<18>(&mut stream).expect("cannot read the greeting and the answer");
            for _ in 0..3 {
                send(&mut stream, "NOOP\r\n");
                receive::<8>(&mut stream).expect("cannot read the answer");
            }
        },
    );
    assert_eq!(conversation.asked, 4, "requests that the peer counted");
    if conversation.exchanges() != 4 {
        conversation.assert_marked();
    }
}

/// A PostgreSQL message: its type, the length of the rest including the length itself, and the body.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend((4 + body.len() as u32).to_be_bytes());
    message.extend(body);
    message
}

fn read_message(stream: &mut TcpStream) -> Option<u8> {
    let [kind] = receive(stream)?;
    read_rest(stream);
    Some(kind)
}

fn read_rest(stream: &mut TcpStream) {
    let length = u32::from_be_bytes(receive(stream).expect("cannot read the length"));
    stream.read_exact(&mut vec![0; length as usize - 4]).expect("cannot read the whole message");
}

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
/// Protocol version 3.0, and the user of the session.
const STARTUP: &[u8] = b"\0\0\0\x12\0\x03\0\0user\0you\0\0";
const READY: [u8; 6] = [b'Z', 0, 0, 0, 5, b'I'];

/// Accepts a password in two steps, then answers and counts queries.
fn postgres(mut stream: TcpStream, asks_for_tls: bool) -> u64 {
    if asks_for_tls {
        assert_eq!(receive(&mut stream), Some(SSL_REQUEST));
        send(&mut stream, "N");
    }
    read_rest(&mut stream);
    for _ in 0..2 {
        send(&mut stream, message(b'R', &[0, 0, 0, 10]));
        assert_eq!(read_message(&mut stream), Some(b'p'));
    }
    send(&mut stream, [message(b'R', &[0; 4]), READY.into()].concat());
    let mut queries = 0;
    loop {
        match read_message(&mut stream) {
            Some(b'Q' | b'S') => {
                queries += 1;
                send(&mut stream, [message(b'C', b"SELECT 1\0"), READY.into()].concat());
            }
            Some(b'P' | b'B' | b'E') => {}
            end => {
                assert!(matches!(end, Some(b'X') | None));
                return queries;
            }
        }
    }
}

/// A query in one message, or in the steps of the extended protocol.
fn query(n: u64) -> Vec<u8> {
    match n % 2 {
        0 => message(b'Q', b"SELECT 1\0"),
        _ => [(b'P', &b"\0SELECT 1\0\0\0"[..]), (b'B', &[0; 8]), (b'E', &[0; 5]), (b'S', b"")]
            .map(|(kind, body)| message(kind, body))
            .concat(),
    }
}

fn ask_postgres(mut stream: TcpStream, asks_for_tls: bool, queries: u64) {
    if asks_for_tls {
        send(&mut stream, SSL_REQUEST);
        assert_eq!(receive(&mut stream), Some(*b"N"));
    }
    send(&mut stream, STARTUP);
    for _ in 0..2 {
        assert_eq!(read_message(&mut stream), Some(b'R'));
        send(&mut stream, message(b'p', b"secret\0"));
    }
    assert_eq!(read_message(&mut stream), Some(b'R'));
    assert_eq!(read_message(&mut stream), Some(b'Z'));
    for n in 0..queries {
        send(&mut stream, query(n));
        assert_eq!(read_message(&mut stream), Some(b'C'));
        assert_eq!(read_message(&mut stream), Some(b'Z'));
    }
    send(&mut stream, message(b'X', &[]));
}

#[test]
fn postgresql_session_start_is_set_up() {
    for asks_for_tls in [true, false] {
        for queries in [0, 5] {
            converse_once(
                move |stream| postgres(stream, asks_for_tls),
                |stream| ask_postgres(stream, asks_for_tls, queries),
            )
            .assert_exact(queries, "plain");
        }
    }
}

/// The rest is TLS, within which PostgreSQL sets up its session, so queries cannot be distinguished from set-up.
#[test]
fn postgresql_session_over_tls_is_marked() {
    /// In the clear, a handshake record begins with its message type, here a ClientHello.
    fn record(kind: u8, bytes: usize) -> Vec<u8> {
        [&[kind, 3, 3], &(bytes as u16).to_be_bytes()[..], &[1], &vec![0; bytes - 1]].concat()
    }
    fn read_record(stream: &mut TcpStream) -> Option<u8> {
        let [kind, 3, 3, high, low] = receive(stream)? else { panic!("not a TLS record") };
        stream.read_exact(&mut vec![0; u16::from_be_bytes([high, low]).into()]).expect("cannot read the whole record");
        Some(kind)
    }
    let conversation = converse_once(
        |mut stream| {
            assert_eq!(receive(&mut stream), Some(SSL_REQUEST));
            send(&mut stream, "S");
            assert_eq!(read_record(&mut stream), Some(22));
            send(&mut stream, [record(22, 118), record(20, 1), record(23, 2000)].concat());
            assert_eq!((read_record(&mut stream), read_record(&mut stream)), (Some(20), Some(23)));
            let mut asked = 0;
            while read_record(&mut stream).is_some() {
                asked += 1;
                send(&mut stream, record(23, 300));
            }
            asked
        },
        |mut stream| {
            send(&mut stream, SSL_REQUEST);
            assert_eq!(receive(&mut stream), Some(*b"S"));
            send(&mut stream, record(22, 512));
            (0..3).for_each(|_| assert!(read_record(&mut stream).is_some()));
            send(&mut stream, [record(20, 1), record(23, 53)].concat());
            for _ in 0..5 {
                send(&mut stream, record(23, 100));
                assert!(read_record(&mut stream).is_some());
            }
        },
    );
    conversation.assert_marked();
    assert_fields(conversation.report.only("close"), &json!({ "protocol": "tls", "application": null }));
}

/// The same with GSSAPI: tokens and encrypted packets, each with a length prefix.
#[test]
fn postgresql_session_over_gssapi_is_marked() {
    const GSS_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30];
    const TOKENS: u64 = 2;
    const QUERIES: u64 = 5;
    fn packet(bytes: usize) -> Vec<u8> {
        [&(bytes as u32).to_be_bytes()[..], &vec![0x60; bytes]].concat()
    }
    let conversation = converse_once(
        |mut stream| {
            assert_eq!(receive(&mut stream), Some(GSS_REQUEST));
            send(&mut stream, "G");
            let mut packets = 0;
            while receive::<304>(&mut stream).is_some() {
                packets += 1;
                send(&mut stream, packet(200));
            }
            packets - TOKENS
        },
        |mut stream| {
            send(&mut stream, GSS_REQUEST);
            assert_eq!(receive(&mut stream), Some(*b"G"));
            for _ in 0..TOKENS + QUERIES {
                send(&mut stream, packet(300));
                receive::<204>(&mut stream).expect("cannot read the answer");
            }
        },
    );
    assert_eq!(conversation.asked, QUERIES);
    conversation.assert_marked();
}
