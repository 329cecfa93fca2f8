//! What nobody knows: each turn of it is counted as if it were a request with its answer, and marked, however regular it is.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    thread::sleep,
    time::Duration,
};

use serde_json::json;

use crate::support::{
    conversation::{Conversation, one, some},
    http::send,
    machine::Machine,
    peer::{self, Peer, ask},
    report::assert_fields,
};

const QUESTION: &[u8; 5] = b"hello";

/// An echo of questions, which counts them.
fn echo(mut stream: TcpStream) -> u64 {
    let (mut asked, mut question) = (0, [0; QUESTION.len()]);
    while stream.read_exact(&mut question).is_ok() {
        asked += 1;
        stream.write_all(&question).expect("the client takes the answer");
    }
    asked
}

fn turn(stream: &mut TcpStream) {
    send(stream, QUESTION);
    stream.read_exact(&mut [0; QUESTION.len()]).expect("an answer comes");
}

#[test]
fn each_turn_is_counted_and_marked() {
    let conversation = one(echo, |mut stream| (0..7).for_each(|_| turn(&mut stream)));
    conversation.assert_turns(7);
    conversation.report.assert_totals(&json!({ "new": 1, "reused": 6, "unused": 0 }));
    assert_eq!(conversation.report.of_type("exchange").len(), 7);
}

#[test]
fn pieces_of_a_turn_are_one() {
    one(
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
                stream.read_exact(&mut [0; 20 * 5]).expect("an answer comes");
            }
        },
    )
    .assert_turns(3);
}

fn one_way(pieces: usize) -> Conversation {
    one(
        move |mut stream| {
            let length = stream.read_to_end(&mut Vec::new()).expect("the client ends in order");
            assert_eq!(length, pieces * QUESTION.len());
            1
        },
        move |mut stream| (0..pieces).for_each(|_| send(&mut stream, QUESTION)),
    )
}

/// By definition.
#[test]
fn one_who_only_sends_has_one() {
    one_way(1).assert_turns(1);
    one_way(50).assert_turns(1);
}

/// A conversation as by HTTP, of which only the bodies are there: lengths, lines, and what looks like a part of a request.
#[test]
fn what_looks_like_bodies_is_no_http() {
    const PIECES: [&str; 5] = [
        "{\"method\": \"GET\", \"path\": \"/\"}\n",
        "content-length: 12\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "get / http/1.1\r\n\r\n",
        "GETTING / HTTP\r\n\r\n",
    ];
    some(
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
                    stream.read_exact(&mut [0; 5]).expect("an answer comes");
                }
            }
        },
    )
    .assert_turns(20);
}

/// A question is none until it is answered, known or not; there is nothing to mark.
#[test]
fn nothing_that_is_answered_is_nothing_to_mark() {
    let conversation = one(
        |mut stream| {
            stream.read_exact(&mut [0; QUESTION.len()]).expect("a question comes");
            crate::support::sockets::reset_on_close(&stream);
            0
        },
        |mut stream| {
            send(&mut stream, QUESTION);
            stream.read_exact(&mut [0]).expect_err("the peer resets");
        },
    );
    conversation.assert_exact(0, "plain");
}

/// Beside others in one group, the doubt of one is that of the group, and the connections keep their own.
#[test]
fn beside_what_is_known() {
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
    let close = |exchanges: u64| closes.iter().find(|close| close["exchanges"] == exchanges).expect("it is there");
    assert_fields(close(3), &json!({ "exact": true, "application": "http1" }));
    assert_fields(close(4), &json!({ "exact": false, "application": null }));
    assert_fields(&report.groups()[0], &json!({ "exchanges": 7, "inexact": 4 }));
    assert_fields(&report.summary, &json!({ "exact": false, "complete": true }));
}
