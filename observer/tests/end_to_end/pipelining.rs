//! Who does not wait for an answer before he asks again: fewer turns than requests, and that is said. See http_turns.rs for
//! requests in the clear by hand.

use std::{io::Read as _, net::TcpStream};

use serde_json::json;
use tempfile::TempDir;

use crate::support::{
    conversation::{Conversation, one},
    go::Server,
    http::{OK, read_answer, read_body, read_head, send, serve},
    machine::Machine,
    peer::REQUEST,
    programs::{output_of, program},
    report::assert_fields,
};

/// As every Debian does: apt asks for up to ten files in one send.
#[test]
fn apt_is_marked() {
    const FILES: usize = 16;
    let machine = Machine::shared();
    let folder = TempDir::new().expect("a folder can be made");
    let server = Server::start("-body 2000");
    let mut sha256sum = program("bash", "bash");
    let hash = output_of(sha256sum.args(["-c", "head -c 2000 /dev/zero | sha256sum"]));
    let hash = format!("SHA256:{}", hash.split(' ').next().expect("a hash"));
    let watch = machine.watch(format!("-p {}", server.port));
    let mut apt = program("/usr/lib/apt/apt-helper", "apt");
    apt.args(["-o", "Acquire::http::Proxy::127.0.0.1=DIRECT", "-o", "APT::Sandbox::User=root", "download-file"]);
    for n in 0..FILES {
        // Each with its place, and its hash: without one apt does not pipeline.
        let file = folder.path().join(n.to_string()).display().to_string();
        apt.args([&format!("http://{}/{n}", server.address()), &file, &hash]);
    }
    output_of(&mut apt);
    let truth = server.truth();
    assert_eq!(truth.requests, FILES as u64, "what the server counted");
    let report = watch.end();
    report.assert_totals(&json!({ "opened": truth.connections, "closed": truth.connections, "failed": 0 }));
    report.assert_marked("plain", Some("http1"));
    let exchanges = report.total("exchanges");
    assert!((truth.connections..truth.requests).contains(&exchanges), "a lower bound: {exchanges}");
}

/// A client that sends these pieces, each as one send, and then reads so many answers; twice.
fn http(pieces: &'static [&[u8]], answers: usize) -> Conversation {
    one(
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
    assert_eq!(conversation.asked, asked, "what the peer was asked");
    conversation.assert_marked();
    assert_fields(conversation.report.only("close"), &json!({ "application": "http1" }));
    assert!((2..=asked).contains(&conversation.exchanges()), "a lower bound: {}", conversation.exchanges());
}

#[test]
fn a_request_behind_another_one() {
    assert_marked(&http(&[b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n"], 2), 4);
}

#[test]
fn a_request_behind_a_body() {
    const BOTH: &[u8] = b"POST /a HTTP/1.1\r\ncontent-length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\n\r\n";
    assert_marked(&http(&[BOTH], 2), 4);
    let (head, rest) = BOTH.split_at(40);
    assert_marked(&http(Vec::leak(vec![head, rest]), 2), 4);
}

/// An upload whose answer has come early, and the next request in the same send as the last of it: nothing overlaps.
#[test]
fn a_request_behind_the_rest_of_a_body_that_is_answered() {
    one(
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

/// One request in one send, however many lines it has.
#[test]
fn one_request_in_one_send_is_exact() {
    let mut long = b"GET /long HTTP/1.1\r\n".to_vec();
    (0..40).for_each(|n| long.extend(format!("x-header-{n}: GET /not-asked HTTP/1.1\r\n").bytes()));
    long.extend(b"\r\n");
    let pieces = Vec::leak(vec![&*Vec::leak(long)]);
    http(pieces, 1).assert_exact(2, "plain");
    http(&[REQUEST], 1).assert_exact(2, "plain");
}

/// A query behind its length, as resolvers send it by TCP (RFC 1035, section 4.2.2): an id, flags, one question.
fn query(id: u8) -> Vec<u8> {
    let question = b"\x04test\x07example\0\0\x01\0\x01";
    let message = [&[0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], question].concat();
    [&(message.len() as u16).to_be_bytes()[..], &message].concat()
}

/// The next message, behind its length.
fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message).expect("the whole message comes");
    Some([&length[..], &message].concat())
}

/// Answers nothing but the questions themselves.
fn resolve(mut stream: TcpStream) -> u64 {
    let mut asked = 0;
    while let Some(mut message) = read_message(&mut stream) {
        asked += 1;
        message[4] |= 0x80;
        send(&mut stream, message);
    }
    asked
}

/// As unbound asks: the next one goes out before the answer to the last one is there.
#[test]
fn queries_of_dns_by_tcp_are_marked() {
    let conversation = one(resolve, |mut stream| {
        for _ in 0..3 {
            (0..5).for_each(|id| send(&mut stream, query(id)));
            (0..5).for_each(|_| drop(read_message(&mut stream).expect("an answer comes")));
        }
    });
    assert_eq!(conversation.asked, 15, "what the peer was asked");
    conversation.assert_marked();
    assert!((3..=15).contains(&conversation.exchanges()), "a lower bound: {}", conversation.exchanges());
    assert_fields(conversation.report.only("close"), &json!({ "application": "dns" }));
}
