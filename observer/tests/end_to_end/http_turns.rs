//! HTTP in the clear, where sends and receives do not alternate: only a request asks, however its body and its answer
//! travel. Where that cannot be known, it is said. See expectations.rs, upgrades.rs and proxies.rs for more.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    thread::sleep,
    time::Duration,
};

use rustix::net::sockopt::set_socket_send_buffer_size;

use crate::support::{
    conversation::{Conversation, one, some},
    http::{OK, read_answer, read_body, read_head, send, serve},
    machine::Machine,
};

/// Lets the other side act first.
const MOMENT: Duration = Duration::from_millis(20);

#[test]
fn requests_in_pieces() {
    one(
        |mut stream| serve(&mut stream),
        |mut stream| {
            for _ in 0..3 {
                for piece in ["POST /a/path HTTP/1.1\r\n", "content-length: 9\r\n\r\n", "not asked"] {
                    send(&mut stream, piece);
                    sleep(MOMENT);
                }
                read_answer(&mut stream);
            }
        },
    )
    .assert_exact(3, "plain");
}

/// A connection for each of them as the first, on which all of them follow.
fn by_methods(methods: &'static [&str]) -> Conversation {
    let ask = |stream: &mut TcpStream, method: &str| {
        send(stream, format!("{method} / HTTP/1.1\r\n\r\n"));
        read_answer(stream);
    };
    some(
        &Machine::shared(),
        methods.len() as u64,
        |mut stream| serve(&mut stream),
        |peer| {
            for first in methods {
                let mut stream = peer.connect();
                ask(&mut stream, first);
                for method in methods {
                    ask(&mut stream, method);
                }
            }
        },
    )
}

#[test]
fn every_method_asks() {
    let methods = &["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"];
    by_methods(methods).assert_exact(8 * 9, "plain");
}

/// Anybody may invent methods: they count, or it is said that they may not.
#[test]
fn unusual_methods_are_not_silently_wrong() {
    let conversation = by_methods(&["GET", "PROPFIND", "REPORT", "PURGE", "LOCK", "M-SEARCH", "QUERY"]);
    assert_eq!(conversation.asked, 7 * 8, "what the peer was asked");
    for close in conversation.report.of_type("close") {
        assert!(close["exchanges"] == 8 || close["exact"] == false, "{close:#}");
    }
}

#[test]
fn an_answer_that_begins_before_the_upload_ends() {
    const PIECES: usize = 20;
    one(
        |mut stream| {
            let mut requests = 0;
            while read_head(&mut stream).is_some() {
                requests += 1;
                send(&mut stream, format!("HTTP/1.1 200 OK\r\ncontent-length: {PIECES}\r\n\r\n"));
                for _ in 0..PIECES {
                    stream.read_exact(&mut [0; 10]).expect("the next piece comes");
                    send(&mut stream, ".");
                }
            }
            requests
        },
        |mut stream| {
            for _ in 0..3 {
                send(&mut stream, format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n", PIECES * 10));
                read_head(&mut stream).expect("the answer begins at once");
                for _ in 0..PIECES {
                    send(&mut stream, [b'.'; 10]);
                    stream.read_exact(&mut [0]).expect("and goes on");
                }
            }
        },
    )
    .assert_exact(3, "plain");
}

/// The server has answered, and reads the rest away.
#[test]
fn an_answer_that_ends_before_the_upload_does() {
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
            for _ in 0..3 {
                send(&mut stream, "POST / HTTP/1.1\r\ncontent-length: 1000\r\n\r\n");
                read_answer(&mut stream);
                for _ in 0..10 {
                    send(&mut stream, [b'.'; 100]);
                    sleep(Duration::from_millis(1));
                }
            }
        },
    )
    .assert_exact(3, "plain");
}

#[test]
fn requests_that_are_pipelined_are_marked() {
    let conversation = one(
        |mut stream| {
            let mut requests = 0;
            while read_head(&mut stream).is_some() {
                requests += 1;
                if requests % 3 == 0 {
                    (0..3).for_each(|_| send(&mut stream, OK));
                }
            }
            requests
        },
        |mut stream| {
            for _ in 0..2 {
                for _ in 0..3 {
                    send(&mut stream, "GET / HTTP/1.1\r\n\r\n");
                    sleep(MOMENT);
                }
                (0..3).for_each(|_| read_answer(&mut stream));
            }
        },
    );
    assert_eq!(conversation.asked, 6, "what the peer was asked");
    conversation.assert_marked();
    assert!((2..=6).contains(&conversation.exchanges()), "a lower bound: {}", conversation.exchanges());
}

/// In one send they look like one.
#[test]
fn requests_in_one_send_are_marked() {
    let conversation = one(
        |mut stream| serve(&mut stream),
        |mut stream| {
            for _ in 0..2 {
                send(&mut stream, "GET / HTTP/1.1\r\n\r\n".repeat(3));
                (0..3).for_each(|_| read_answer(&mut stream));
            }
        },
    );
    assert_eq!(conversation.asked, 6, "what the peer was asked");
    conversation.assert_marked();
    assert!((2..=6).contains(&conversation.exchanges()), "a lower bound: {}", conversation.exchanges());
}

/// A socket that is full takes part of an upload, and the rest later: a send that begins in the middle, with whatever is
/// there.
#[test]
fn the_rest_of_a_short_send_is_no_request() {
    let body = "GET ".repeat(2 << 20);
    let message = format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    one(
        |mut stream| {
            sleep(MOMENT);
            serve(&mut stream)
        },
        |mut stream| {
            let mut sends = 0;
            set_socket_send_buffer_size(&stream, 64 << 10).expect("its buffer can be small");
            for _ in 0..3 {
                stream.set_nonblocking(true).expect("it can be asked not to wait");
                let mut left = message.as_bytes();
                while !left.is_empty() {
                    match stream.write(left) {
                        Ok(bytes) => {
                            left = &left[bytes..];
                            sends += 1;
                        }
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                            sleep(Duration::from_millis(1));
                        }
                    }
                }
                stream.set_nonblocking(false).expect("it can be asked to wait");
                read_answer(&mut stream);
            }
            assert!(sends > 10, "most sends were short: {sends}");
        },
    )
    .assert_exact(3, "plain");
}

#[test]
fn a_stream_of_events_is_one() {
    const EVENTS: usize = 30;
    const EVENT: &[u8; 13] = b"data: hello\n\n";
    let conversation = one(
        |mut stream| {
            let mut requests = 0;
            while read_head(&mut stream).is_some() {
                requests += 1;
                send(&mut stream, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n");
                send(&mut stream, format!("content-length: {}\r\n\r\n", EVENTS * EVENT.len()));
                for _ in 0..EVENTS {
                    send(&mut stream, EVENT);
                    sleep(Duration::from_millis(2));
                }
            }
            requests
        },
        |mut stream| {
            for _ in 0..2 {
                send(&mut stream, "GET /events HTTP/1.1\r\naccept: text/event-stream\r\n\r\n");
                read_head(&mut stream).expect("an answer comes");
                for _ in 0..EVENTS {
                    stream.read_exact(&mut [0; EVENT.len()]).expect("an event comes");
                }
            }
        },
    );
    conversation.assert_exact(2, "plain");
    assert_eq!(conversation.report.of_type("exchange").len(), 2);
}

/// A protocol of words, of which the first is nearly a method.
#[test]
fn other_words_are_not_taken_for_http() {
    const WORDS: [&str; 6] = ["GETS", "PUTS", "Get ", "get ", "HELLO", "G"];
    some(
        &Machine::shared(),
        WORDS.len() as u64,
        |mut stream| {
            let mut asked = 0;
            while stream.read_exact(&mut [0; 8]).is_ok() {
                asked += 1;
                send(&mut stream, "fine");
            }
            asked
        },
        |peer| {
            for first in WORDS {
                let mut stream = peer.connect();
                for word in [first, "one", "two"] {
                    send(&mut stream, format!("{word:8}"));
                    stream.read_exact(&mut [0; 4]).expect("an answer comes");
                }
            }
        },
    )
    .assert_turns(18);
}
