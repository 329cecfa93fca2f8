//! The other ways into the kernel and out of it: without copies, without system calls, in pieces, without waiting. The
//! socket moves all the same, and so do the counts.

use std::{
    fs::File,
    io::{ErrorKind, IoSlice, Read as _, Write as _},
    net::TcpStream,
    os::{fd::AsRawFd as _, unix::fs::FileExt as _},
    thread::sleep,
    time::Duration,
};

use rustix::{
    event::epoll,
    fs::sendfile,
    pipe::{SpliceFlags, pipe, splice},
};

use crate::support::{
    conversation::{Conversation, one},
    http::{OK, read_answer, serve},
    peer::{REQUEST, send_request},
    sockets::turn_on,
};

const BODY_BYTES: usize = 100_000;

/// A client that does its part with HTTP, against a peer that counts requests.
fn requests(client: impl FnOnce(TcpStream)) -> Conversation {
    one(|mut stream| serve(&mut stream), client)
}

fn body() -> Vec<u8> {
    vec![b'.'; BODY_BYTES]
}

/// The head of an upload of [`BODY_BYTES`].
fn head() -> String {
    format!("PUT /file HTTP/1.1\r\ncontent-length: {BODY_BYTES}\r\n\r\n")
}

/// Moves these bytes by way of a pipe, without copying them into the socket.
fn splice_all(bytes: &[u8], stream: &TcpStream) {
    let (outlet, inlet) = pipe().expect("a pipe can be made");
    let mut inlet = File::from(inlet);
    // A pipe holds 64 KiB.
    for piece in bytes.chunks(32_768) {
        inlet.write_all(piece).expect("the pipe has room");
        let mut left = piece.len();
        while left > 0 {
            left -= splice(&outlet, None, stream, None, left, SpliceFlags::empty()).expect("it can be sent");
        }
    }
}

#[test]
fn uploads_by_splice() {
    requests(|mut stream| {
        for _ in 0..3 {
            stream.write_all(head().as_bytes()).expect("it can be sent");
            splice_all(&body(), &stream);
            read_answer(&mut stream);
        }
    })
    .assert_exact(3, "plain");
}

/// Not even the heads can be looked at. They count, whatever they say.
#[test]
fn requests_by_splice() {
    let conversation = requests(|mut stream| {
        for _ in 0..3 {
            splice_all(b"GET / HTTP/1.1\r\n\r\n", &stream);
            read_answer(&mut stream);
        }
    });
    assert_eq!((conversation.asked, conversation.exchanges()), (3, 3));
}

#[test]
fn uploads_by_sendfile() {
    let file = tempfile::tempfile().expect("a file can be made");
    file.write_all_at(&body(), 0).expect("it can be written");
    requests(|mut stream| {
        for _ in 0..3 {
            stream.write_all(head().as_bytes()).expect("it can be sent");
            let mut offset = 0;
            while offset < BODY_BYTES as u64 {
                let left = BODY_BYTES - offset as usize;
                assert_ne!(sendfile(&stream, &file, Some(&mut offset), left).expect("it can be sent"), 0);
            }
            read_answer(&mut stream);
        }
    })
    .assert_exact(3, "plain");
}

#[test]
fn answers_by_splice() {
    requests(|mut stream| {
        let (outlet, inlet) = pipe().expect("a pipe can be made");
        let mut outlet = File::from(outlet);
        for _ in 0..3 {
            stream.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("it can be sent");
            let mut left = OK.len();
            while left > 0 {
                left -= splice(&stream, None, &inlet, None, left, SpliceFlags::empty()).expect("an answer comes");
            }
            let mut answer = [0; OK.len()];
            outlet.read_exact(&mut answer).expect("it is in the pipe");
            assert_eq!(answer, OK);
        }
    })
    .assert_exact(3, "plain");
}

#[test]
fn sends_without_a_copy() {
    requests(|mut stream| {
        turn_on(&stream, libc::SOL_SOCKET, libc::SO_ZEROCOPY);
        let message = [head().as_bytes(), &body()].concat();
        for _ in 0..3 {
            let mut left = message.as_slice();
            while !left.is_empty() {
                // SAFETY: the bytes outlive the connection.
                let sent =
                    unsafe { libc::send(stream.as_raw_fd(), left.as_ptr().cast(), left.len(), libc::MSG_ZEROCOPY) };
                left = &left[usize::try_from(sent).expect("it can be sent")..];
            }
            read_answer(&mut stream);
        }
        drop(stream);
    })
    .assert_exact(3, "plain");
}

/// As programs do that have their messages in parts; the first may be empty, or shorter than a method.
#[test]
fn requests_in_vectors() {
    let vectors: [&[&[u8]]; 4] = [
        &[b"GET / HTTP/1.1\r\n", b"\r\n"],
        &[b"", b"", b"GET / HTTP/1.1\r\n\r\n"],
        &[b"PUT", b" / HTTP/1.1\r\ncontent-length: ", b"2", b"\r\n\r\n", b"me"],
        &[b"D", b"", b"E", b"LETE / HTTP/1.1\r\n\r\n"],
    ];
    requests(|mut stream| {
        for vector in vectors {
            let slices: Vec<IoSlice> = vector.iter().map(|part| IoSlice::new(part)).collect();
            let bytes: usize = vector.iter().map(|part| part.len()).sum();
            assert_eq!(stream.write_vectored(&slices).expect("it can be sent"), bytes);
            read_answer(&mut stream);
        }
    })
    .assert_exact(4, "plain");
}

/// Edge-triggered: told once that there is something, and read until there is nothing.
#[test]
fn answers_that_are_not_waited_for() {
    const PIECES: usize = 5;
    one(
        |mut stream| {
            let mut asked = 0;
            while stream.read_exact(&mut [0; REQUEST.len()]).is_ok() {
                asked += 1;
                for _ in 0..PIECES {
                    sleep(Duration::from_millis(2));
                    stream.write_all(b"piece").expect("the client takes the answer");
                }
            }
            asked
        },
        |mut stream| {
            stream.set_nonblocking(true).expect("it can be asked not to wait");
            let poll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll can be had");
            let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
            epoll::add(&poll, &stream, epoll::EventData::new_u64(0), flags).expect("it can be polled");
            let mut waits = 0;
            for _ in 0..4 {
                send_request(&mut stream);
                let mut read = 0;
                while read < PIECES * 5 {
                    match stream.read(&mut [0; 3]) {
                        Ok(bytes) => read += bytes,
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {
                            waits += 1;
                            let mut events = Vec::with_capacity(1);
                            let events = rustix::buffer::spare_capacity(&mut events);
                            epoll::wait(&poll, events, None).expect("it can be waited");
                        }
                        Err(error) => panic!("it cannot be read: {error}"),
                    }
                }
                let error = stream.read(&mut [0]).expect_err("there is no more");
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
            }
            assert!(waits >= 4, "it had to wait before each answer, at least");
        },
    )
    .assert_exact(4, "plain");
}
