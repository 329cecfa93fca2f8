//! Pipelining: clients that send the next request before the answer cause fewer turns than requests, so their counts
//! are marked. See http_turns.rs for hand-written requests in the clear.

use std::{io::Read as _, net::TcpStream};

use serde_json::json;
use tempfile::TempDir;

use crate::support::{
    conversation::{Conversation, converse_once},
    go::Server,
    http::{OK, read_answer, read_body, read_head, send, serve},
    machine::Machine,
    peer::REQUEST,
    programs::{output_of, program},
    report::assert_fields,
};

/// apt, part of every Debian system, sends up to ten requests in one send.
#[test]
fn apt_is_marked() {
    const FILES: usize = 16;
    let machine = Machine::shared();
    let folder = TempDir::new().expect("cannot create a directory");
    let server = Server::start("-body 2000");
    let mut sha256sum = program("bash", "bash");
    let hash = output_of(sha256sum.args(["-c", "head -c 2000 /dev/zero | sha256sum"]));
    let hash = format!("SHA256:{}", hash.split(' ').next().expect("a hash"));
    let watch = machine.watch(format!("-p {}", server.port));
    let mut apt = program("/usr/lib/apt/apt-helper", "apt");
    apt.args(["-o", "Acquire::http::Proxy::127.0.0.1=DIRECT", "-o", "APT::Sandbox::User=root", "download-file"]);
    for n in 0..FILES {
        // The target file and the hash of each URL. apt does not pipeline without a hash.
        let file = folder.path().join(n.to_string()).display().to_string();
        apt.args([&format!("http://{}/{n}", server.address()), &file, &hash]);
    }
    output_of(&mut apt);
    let truth = server.truth();
    assert_eq!(truth.requests, FILES as u64, "counts of the server");
    let report = watch.end();
    report.assert_totals(&json!({ "opened": truth.connections, "closed": truth.connections, "failed": 0 }));
    report.assert_marked("plain", Some("http1"));
    let exchanges = report.total("exchanges");
    assert!((truth.connections..truth.requests).contains(&exchanges), "the count is a lower bound: {exchanges}");
}

/// A client that sends each of these pieces in one send, and then reads this many answers, all of it twice.
fn http(pieces: &'static [&[u8]], answers: usize) -> Conversation {
    converse_once(
        |mut stream| serve(&mut stream),
        move |mut stream| {
            for _ in 0..2 {
                for piece in pieces {
                    send(&mut stream, piece);
                }
                (0..answers).for_each(|_| read_answer(&mut stream));
            }
        },
    )
}

#[track_caller]
fn assert_marked(conversation: &Conversation, asked: u64) {
    assert_eq!(conversation.asked, asked, "requests that the peer counted");
    conversation.assert_marked();
    assert_fields(conversation.report.only("close"), &json!({ "application": "http1" }));
    assert!(
        (2..=asked).contains(&conversation.exchanges()),
        "the count is a lower bound: {}",
        conversation.exchanges()
    );
}

#[test]
fn request_behind_another_request_is_marked() {
    assert_marked(&http(&[b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n"], 2), 4);
}

#[test]
fn request_behind_a_body_is_marked() {
    const BOTH: &[u8] = b"POST /a HTTP/1.1\r\ncontent-length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\n\r\n";
    assert_marked(&http(&[BOTH], 2), 4);
    let (head, rest) = BOTH.split_at(40);
    assert_marked(&http(Vec::leak(vec![head, rest]), 2), 4);
}

/// An upload with an early answer, and the next request in the same send as the rest of the body. The exchanges do not
/// overlap.
#[test]
fn request_behind_the_rest_of_an_answered_body_is_exact() {
    converse_once(
        |mut stream| {
            let mut requests = 0;
            while let Some(head) = read_head(&mut stream) {
                requests += 1;
                send(&mut stream, OK);
                read_body(&mut stream, &head);
            }
            requests
        },
        |mut stream| {
            send(&mut stream, "POST /a HTTP/1.1\r\ncontent-length: 10\r\n\r\nhello");
            read_answer(&mut stream);
            for _ in 0..2 {
                send(&mut stream, "worldPOST /b HTTP/1.1\r\ncontent-length: 5\r\n\r\n");
                read_answer(&mut stream);
            }
            send(&mut stream, "world");
        },
    )
    .assert_exact(3, "plain");
}

/// A single request in one send, no matter how many lines it has.
#[test]
fn single_request_in_one_send_is_exact() {
    let mut long = b"GET /long HTTP/1.1\r\n".to_vec();
    (0..40).for_each(|n| long.extend(format!("x-header-{n}: GET /not-asked HTTP/1.1\r\n").bytes()));
    long.extend(b"\r\n");
    let pieces = Vec::leak(vec![&*Vec::leak(long)]);
    http(pieces, 1).assert_exact(2, "plain");
    http(&[REQUEST], 1).assert_exact(2, "plain");
}

/// A DNS query with a length prefix, as resolvers send it over TCP (RFC 1035, section 4.2.2): an id, flags and one
/// question.
fn query(id: u8) -> Vec<u8> {
    let question = b"\x04test\x07example\0\0\x01\0\x01";
    let message = [&[0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], question].concat();
    [&(message.len() as u16).to_be_bytes()[..], &message].concat()
}

/// Reads the next message with its length prefix.
fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message).expect("cannot read the whole message");
    Some([&length[..], &message].concat())
}

/// Answers each query with the query itself, marked as a response.
fn resolve(mut stream: TcpStream) -> u64 {
    let mut asked = 0;
    while let Some(mut message) = read_message(&mut stream) {
        asked += 1;
        message[4] |= 0x80;
        send(&mut stream, message);
    }
    asked
}

/// As unbound does: the next query is sent before the previous answer arrives.
#[test]
fn pipelined_dns_queries_are_marked() {
    let conversation = converse_once(resolve, |mut stream| {
        for _ in 0..3 {
            (0..5).for_each(|id| send(&mut stream, query(id)));
            (0..5).for_each(|_| drop(read_message(&mut stream).expect("cannot read the answer")));
        }
    });
    assert_eq!(conversation.asked, 15, "queries that the peer counted");
    conversation.assert_marked();
    assert!((3..=15).contains(&conversation.exchanges()), "the count is a lower bound: {}", conversation.exchanges());
    assert_fields(conversation.report.only("close"), &json!({ "application": "dns" }));
}
