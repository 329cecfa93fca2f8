//! HTTP in the clear where sends and receives do not alternate: only requests count, however bodies and answers arrive.
//! Where requests cannot be told apart, the count is marked. See also expect_continue.rs, upgrades.rs and proxies.rs.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    thread::sleep,
    time::Duration,
};

use rustix::net::sockopt::set_socket_send_buffer_size;

use crate::support::{
    conversation::{Conversation, converse, converse_once},
    http::{OK, read_answer, read_body, read_head, send, serve},
    machine::Machine,
};

/// Long enough for the other side to act.
const MOMENT: Duration = Duration::from_millis(20);

#[test]
fn requests_in_several_sends_are_exact() {
    converse_once(
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

/// Makes a connection for each method as the first request, and then sends all methods on it.
fn by_methods(methods: &'static [&str]) -> Conversation {
    let ask = |stream: &mut TcpStream, method: &str| {
        send(stream, format!("{method} / HTTP/1.1\r\n\r\n"));
        read_answer(stream);
    };
    converse(
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
fn every_standard_method_is_a_request() {
    let methods = &["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"];
    by_methods(methods).assert_exact(8 * 9, "plain");
}

/// Methods are open to extension: requests with unusual ones are counted or marked.
#[test]
fn unusual_methods_are_counted_right_or_marked() {
    let conversation = by_methods(&["GET", "PROPFIND", "REPORT", "PURGE", "LOCK", "M-SEARCH", "QUERY"]);
    assert_eq!(conversation.asked, 7 * 8, "requests that the peer counted");
    for close in conversation.report.of_type("close") {
        assert!(close["exchanges"] == 8 || close["exact"] == false, "{close:#}");
    }
}

#[test]
fn answer_that_begins_during_the_upload_is_one_exchange() {
    const PIECES: usize = 20;
    converse_once(
        |mut stream| {
            let mut requests = 0;
            while read_head(&mut stream).is_some() {
                requests += 1;
                send(&mut stream, format!("HTTP/1.1 200 OK\r\ncontent-length: {PIECES}\r\n\r\n"));
                for _ in 0..PIECES {
                    stream.read_exact(&mut [0; 10]).expect("cannot read the next piece");
                    send(&mut stream, ".");
                }
            }
            requests
        },
        |mut stream| {
            for _ in 0..3 {
                send(&mut stream, format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n", PIECES * 10));
                read_head(&mut stream).expect("cannot read the head of the answer");
                for _ in 0..PIECES {
                    send(&mut stream, [b'.'; 10]);
                    stream.read_exact(&mut [0]).expect("cannot read the next byte of the answer");
                }
            }
        },
    )
    .assert_exact(3, "plain");
}

/// The server answers first, and then reads and discards the body.
#[test]
fn answer_that_ends_before_the_upload_is_one_exchange() {
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
fn pipelined_requests_are_marked() {
    let conversation = converse_once(
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
    assert_eq!(conversation.asked, 6, "requests that the peer counted");
    conversation.assert_marked();
    assert!((2..=6).contains(&conversation.exchanges()), "the count is a lower bound: {}", conversation.exchanges());
}

/// Requests in one send look like a single request.
#[test]
fn several_requests_in_one_send_are_marked() {
    let conversation = converse_once(
        |mut stream| serve(&mut stream),
        |mut stream| {
            for _ in 0..2 {
                send(&mut stream, "GET / HTTP/1.1\r\n\r\n".repeat(3));
                (0..3).for_each(|_| read_answer(&mut stream));
            }
        },
    );
    assert_eq!(conversation.asked, 6, "requests that the peer counted");
    conversation.assert_marked();
    assert!((2..=6).contains(&conversation.exchanges()), "the count is a lower bound: {}", conversation.exchanges());
}

/// A full socket buffer takes only part of an upload. The next send continues in the middle of the body, which may look
/// like a request.
#[test]
fn continuation_of_a_short_send_is_not_a_request() {
    let body = "GET ".repeat(2 << 20);
    let message = format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    converse_once(
        |mut stream| {
            sleep(MOMENT);
            serve(&mut stream)
        },
        |mut stream| {
            let mut sends = 0;
            set_socket_send_buffer_size(&stream, 64 << 10).expect("cannot set the buffer size");
            for _ in 0..3 {
                stream.set_nonblocking(true).expect("cannot make the stream non-blocking");
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
                stream.set_nonblocking(false).expect("cannot make the stream blocking");
                read_answer(&mut stream);
            }
            assert!(sends > 10, "expected mostly short sends: {sends}");
        },
    )
    .assert_exact(3, "plain");
}

#[test]
fn event_stream_is_one_exchange() {
    const EVENTS: usize = 30;
    const EVENT: &[u8; 13] = b"data: hello\n\n";
    let conversation = converse_once(
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
                read_head(&mut stream).expect("cannot read the answer");
                for _ in 0..EVENTS {
                    stream.read_exact(&mut [0; EVENT.len()]).expect("cannot read the event");
                }
            }
        },
    );
    conversation.assert_exact(2, "plain");
    assert_eq!(conversation.report.of_type("exchange").len(), 2);
}

/// A text protocol whose first word resembles an HTTP method.
#[test]
fn words_that_resemble_methods_are_not_recognised_as_http() {
    const WORDS: [&str; 6] = ["GETS", "PUTS", "Get ", "get ", "HELLO", "G"];
    converse(
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
                    stream.read_exact(&mut [0; 4]).expect("cannot read the answer");
                }
            }
        },
    )
    .assert_turns(18);
}
