//! Less common paths into and out of the kernel: zero-copy sends, splice and sendfile, vectored and non-blocking I/O.
//! The counts must stay the same.

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
    conversation::{Conversation, converse_once},
    http::{OK, read_answer, send, serve},
    peer::{REQUEST, send_request},
    sockets::enable_option,
};

const BODY_BYTES: usize = 100_000;

/// Runs an HTTP client against a peer that counts requests.
fn requests(client: impl FnOnce(TcpStream)) -> Conversation {
    converse_once(|mut stream| serve(&mut stream), client)
}

fn body() -> Vec<u8> {
    vec![b'.'; BODY_BYTES]
}

/// The head of an upload of [`BODY_BYTES`].
fn head() -> String {
    format!("PUT /file HTTP/1.1\r\ncontent-length: {BODY_BYTES}\r\n\r\n")
}

/// Sends these bytes through a pipe with splice, without a copy into the socket.
fn splice_all(bytes: &[u8], stream: &TcpStream) {
    let (outlet, inlet) = pipe().expect("cannot create a pipe");
    let mut inlet = File::from(inlet);
    // A pipe holds 64 KiB.
    for piece in bytes.chunks(32_768) {
        inlet.write_all(piece).expect("cannot write to the pipe");
        let mut left = piece.len();
        while left > 0 {
            left -= splice(&outlet, None, stream, None, left, SpliceFlags::empty()).expect("cannot send");
        }
    }
}

#[test]
fn spliced_uploads_are_exact() {
    requests(|mut stream| {
        for _ in 0..3 {
            stream.write_all(head().as_bytes()).expect("cannot send");
            splice_all(&body(), &stream);
            read_answer(&mut stream);
        }
    })
    .assert_exact(3, "plain");
}

/// The hooks cannot read spliced heads, so each send counts whatever it contains.
#[test]
fn spliced_requests_are_counted() {
    let conversation = requests(|mut stream| {
        for _ in 0..3 {
            splice_all(b"GET / HTTP/1.1\r\n\r\n", &stream);
            read_answer(&mut stream);
        }
    });
    assert_eq!((conversation.asked, conversation.exchanges()), (3, 3));
}

#[test]
fn uploads_by_sendfile_are_exact() {
    let file = tempfile::tempfile().expect("cannot create a file");
    file.write_all_at(&body(), 0).expect("cannot write the file");
    requests(|mut stream| {
        for _ in 0..3 {
            stream.write_all(head().as_bytes()).expect("cannot send");
            let mut offset = 0;
            while offset < BODY_BYTES as u64 {
                let left = BODY_BYTES - offset as usize;
                assert_ne!(sendfile(&stream, &file, Some(&mut offset), left).expect("cannot send"), 0);
            }
            read_answer(&mut stream);
        }
    })
    .assert_exact(3, "plain");
}

#[test]
fn spliced_answers_are_exact() {
    requests(|mut stream| {
        let (outlet, inlet) = pipe().expect("cannot create a pipe");
        let mut outlet = File::from(outlet);
        for _ in 0..3 {
            send(&mut stream, "GET / HTTP/1.1\r\n\r\n");
            let mut left = OK.len();
            while left > 0 {
                left -=
                    splice(&stream, None, &inlet, None, left, SpliceFlags::empty()).expect("cannot read the answer");
            }
            let mut answer = [0; OK.len()];
            outlet.read_exact(&mut answer).expect("cannot read from the pipe");
            assert_eq!(answer, OK);
        }
    })
    .assert_exact(3, "plain");
}

#[test]
fn zero_copy_sends_are_exact() {
    requests(|mut stream| {
        enable_option(&stream, libc::SOL_SOCKET, libc::SO_ZEROCOPY);
        let message = [head().as_bytes(), &body()].concat();
        for _ in 0..3 {
            let mut left = message.as_slice();
            while !left.is_empty() {
                // SAFETY: the bytes outlive the connection.
                let sent =
                    unsafe { libc::send(stream.as_raw_fd(), left.as_ptr().cast(), left.len(), libc::MSG_ZEROCOPY) };
                left = &left[usize::try_from(sent).expect("cannot send")..];
            }
            read_answer(&mut stream);
        }
        drop(stream);
    })
    .assert_exact(3, "plain");
}

/// As programs do that hold messages in parts. The first part may be empty, or shorter than a method.
#[test]
fn vectored_requests_are_exact() {
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
            assert_eq!(stream.write_vectored(&slices).expect("cannot send"), bytes);
            read_answer(&mut stream);
        }
    })
    .assert_exact(4, "plain");
}

/// Edge-triggered: epoll reports readiness once, and the client reads until nothing is left.
#[test]
fn non_blocking_reads_are_exact() {
    const PIECES: usize = 5;
    converse_once(
        |mut stream| {
            let mut asked = 0;
            while stream.read_exact(&mut [0; REQUEST.len()]).is_ok() {
                asked += 1;
                for _ in 0..PIECES {
                    sleep(Duration::from_millis(2));
                    stream.write_all(b"piece").expect("cannot send the answer");
                }
            }
            asked
        },
        |mut stream| {
            stream.set_nonblocking(true).expect("cannot make the stream non-blocking");
            let poll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("cannot create an epoll instance");
            let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
            epoll::add(&poll, &stream, epoll::EventData::new_u64(0), flags).expect("cannot poll the stream");
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
                            epoll::wait(&poll, events, None).expect("cannot wait for events");
                        }
                        Err(error) => panic!("cannot read: {error}"),
                    }
                }
                let error = stream.read(&mut [0]).expect_err("nothing is left to read");
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
            }
            assert!(waits >= 4, "expected at least one wait for each answer");
        },
    )
    .assert_exact(4, "plain");
}
