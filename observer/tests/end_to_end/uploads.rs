//! Bodies that are longer than the range of TCP sequence numbers, which wrap around within one request or answer.

use std::{io::Write as _, net::TcpStream};

use rustix::net::{RecvFlags, recv};
use serde_json::json;

use crate::support::{
    conversation::converse_once,
    http::{OK, content_length, read_answer, read_head, send, upload},
    peer::{REQUEST, send_request},
    report::assert_fields,
};

const FIVE_GIB: usize = 5 << 30;
/// More than half of the sequence numbers: a position this far behind looks as if it were ahead.
const THREE_GIB: usize = 3 << 30;
const PIECE: usize = 1 << 20;

fn pour(stream: &mut TcpStream, bytes: usize) {
    let piece = vec![b'.'; PIECE];
    (0..bytes / PIECE).for_each(|_| stream.write_all(&piece).expect("cannot send"));
}

/// Reads this many bytes. With `RecvFlags::TRUNC` the kernel discards them, which takes half of the time.
fn drain(stream: &TcpStream, bytes: usize, flags: RecvFlags) {
    let mut piece = vec![0; PIECE];
    let mut left = bytes;
    while left > 0 {
        let (read, _) = recv(stream, &mut piece[..left.min(PIECE)], flags).expect("cannot read");
        assert_ne!(read, 0, "{left} bytes are missing");
        left -= read;
    }
}

/// Answers after the whole body, or before it.
fn serve(mut stream: TcpStream, is_early: bool) -> u64 {
    let mut requests = 0;
    while let Some(head) = read_head(&mut stream) {
        if is_early {
            send(&mut stream, OK);
        }
        drain(&stream, content_length(&head), RecvFlags::TRUNC);
        requests += 1;
        if !is_early {
            send(&mut stream, OK);
        }
    }
    requests
}

#[test]
fn five_gib_request_is_one_exchange() {
    let conversation = converse_once(
        |stream| serve(stream, false),
        |mut stream| {
            send(&mut stream, upload(FIVE_GIB));
            pour(&mut stream, FIVE_GIB);
            read_answer(&mut stream);
            send_request(&mut stream);
            read_answer(&mut stream);
        },
    );
    conversation.assert_exact(2, "plain");
    let sent = upload(FIVE_GIB).len() + FIVE_GIB + REQUEST.len();
    assert_fields(conversation.report.only("close"), &json!({ "sent_bytes": sent, "received_bytes": 2 * OK.len() }));
}

#[test]
fn three_gib_sent_after_the_answer_are_one_exchange() {
    let conversation = converse_once(
        |stream| serve(stream, true),
        |mut stream| {
            send(&mut stream, upload(THREE_GIB));
            read_answer(&mut stream);
            pour(&mut stream, THREE_GIB);
            send_request(&mut stream);
            read_answer(&mut stream);
        },
    );
    conversation.assert_exact(2, "plain");
}

#[test]
fn five_gib_answer_is_one_exchange() {
    let conversation = converse_once(
        |mut stream| {
            let mut requests = 0;
            while read_head(&mut stream).is_some() {
                requests += 1;
                send(&mut stream, format!("HTTP/1.1 200 OK\r\ncontent-length: {FIVE_GIB}\r\n\r\n"));
                pour(&mut stream, FIVE_GIB);
            }
            requests
        },
        |mut stream| {
            send_request(&mut stream);
            let head = read_head(&mut stream).expect("cannot read the answer");
            drain(&stream, content_length(&head), RecvFlags::empty());
        },
    );
    conversation.assert_exact(1, "plain");
}
