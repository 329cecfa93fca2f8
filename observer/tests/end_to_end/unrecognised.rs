//! Unrecognised protocols: each turn counts as an exchange and is marked, no matter how regular the traffic is.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    thread::sleep,
    time::Duration,
};

use serde_json::json;

use crate::support::{
    conversation::{Conversation, converse, converse_once},
    http::send,
    machine::Machine,
    peer::{self, Peer, ask},
    report::assert_fields,
};

const QUESTION: &[u8; 5] = b"hello";

/// An echo peer that counts questions.
fn echo(mut stream: TcpStream) -> u64 {
    let (mut asked, mut question) = (0, [0; QUESTION.len()]);
    while stream.read_exact(&mut question).is_ok() {
        asked += 1;
        stream.write_all(&question).expect("cannot send the answer");
    }
    asked
}

fn turn(stream: &mut TcpStream) {
    send(stream, QUESTION);
    stream.read_exact(&mut [0; QUESTION.len()]).expect("cannot read the answer");
}

#[test]
fn each_turn_is_counted_and_marked() {
    let conversation = converse_once(echo, |mut stream| (0..7).for_each(|_| turn(&mut stream)));
    conversation.assert_turns(7);
    conversation.report.assert_totals(&json!({ "new": 1, "reused": 6, "unused": 0 }));
    assert_eq!(conversation.report.of_type("exchange").len(), 7);
}

#[test]
fn pieces_of_a_turn_count_as_one() {
    converse_once(
        |mut stream| {
            let mut asked = 0;
            while stream.read_exact(&mut [0; 20 * QUESTION.len()]).is_ok() {
                asked += 1;
                for _ in 0..20 {
                    send(&mut stream, "piece");
                    sleep(Duration::from_micros(100));
                }
            }
            asked
        },
        |mut stream| {
            for _ in 0..3 {
                for _ in 0..20 {
                    send(&mut stream, QUESTION);
                    sleep(Duration::from_micros(100));
                }
                stream.read_exact(&mut [0; 20 * 5]).expect("cannot read the answer");
            }
        },
    )
    .assert_turns(3);
}

fn one_way(pieces: usize) -> Conversation {
    converse_once(
        move |mut stream| {
            let length = stream.read_to_end(&mut Vec::new()).expect("cannot read to the client's FIN");
            assert_eq!(length, pieces * QUESTION.len());
            1
        },
        move |mut stream| (0..pieces).for_each(|_| send(&mut stream, QUESTION)),
    )
}

/// Unanswered data counts as one turn, by definition.
#[test]
fn data_without_an_answer_is_one_turn() {
    one_way(1).assert_turns(1);
    one_way(50).assert_turns(1);
}

/// Messages that resemble parts of HTTP: bodies, lines, lengths and malformed requests.
#[test]
fn messages_that_resemble_parts_of_http_are_not_recognised() {
    const PIECES: [&str; 5] = [
        "{\"method\": \"GET\", \"path\": \"/\"}\n",
        "content-length: 12\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "get / http/1.1\r\n\r\n",
        "GETTING / HTTP\r\n\r\n",
    ];
    converse(
        &Machine::shared(),
        PIECES.len() as u64,
        |mut stream| {
            let mut asked = 0;
            while let Ok(1..) = stream.read(&mut [0; 4096]) {
                asked += 1;
                send(&mut stream, "fine\n");
            }
            asked
        },
        |peer| {
            for piece in PIECES {
                let mut stream = peer.connect();
                for _ in 0..4 {
                    send(&mut stream, piece);
                    stream.read_exact(&mut [0; 5]).expect("cannot read the answer");
                }
            }
        },
    )
    .assert_turns(20);
}

/// A request without an answer is no exchange in any protocol, so nothing is marked.
#[test]
fn unanswered_reset_connection_is_not_marked() {
    let conversation = converse_once(
        |mut stream| {
            stream.read_exact(&mut [0; QUESTION.len()]).expect("cannot read the question");
            crate::support::sockets::reset_on_close(&stream);
            0
        },
        |mut stream| {
            send(&mut stream, QUESTION);
            stream.read_exact(&mut [0]).expect_err("the peer should reset the connection");
        },
    );
    conversation.assert_exact(0, "plain");
}

/// In a group with both kinds, the group is marked, and each connection keeps its own exactness.
#[test]
fn marked_connection_does_not_mark_recognised_ones_in_its_group() {
    let machine = Machine::shared();
    let peer = Peer::new(peer::echo);
    let watch = machine.watch(format!("-p {}", peer.port()));
    let (mut known, mut unknown) = (peer.connect(), peer.connect());
    (0..3).for_each(|_| ask(&mut known));
    (0..4).for_each(|_| turn(&mut unknown));
    drop((known, unknown));
    peer.wait_for(2);
    let report = watch.end();
    let closes = report.of_type("close");
    let close =
        |exchanges: u64| closes.iter().find(|close| close["exchanges"] == exchanges).expect("no such close row");
    assert_fields(close(3), &json!({ "exact": true, "application": "http1" }));
    assert_fields(close(4), &json!({ "exact": false, "application": null }));
    assert_fields(&report.groups()[0], &json!({ "exchanges": 7, "inexact": 4 }));
    assert_fields(&report.summary, &json!({ "exact": false, "complete": true }));
}
