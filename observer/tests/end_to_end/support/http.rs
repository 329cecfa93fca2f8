//! HTTP/1.1 as a peer or a client within the test speaks it: just enough to count requests in HTTP's own terms.

use std::io::{Read, Write};

/// An answer without anything in it.
pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK";

/// The head of a request with a body of so many bytes.
pub(crate) fn upload(length: usize) -> String {
    format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n")
}

pub(crate) fn send(stream: &mut impl Write, bytes: impl AsRef<[u8]>) {
    stream.write_all(bytes.as_ref()).expect("it can be sent");
}

/// The head of a message, up to and with its empty line; none if the other side is gone before it begins.
pub(crate) fn read_head(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read(&mut byte), Ok(1)) {
            assert!(head.is_empty(), "a head ends early: {}", String::from_utf8_lossy(&head));
            return None;
        }
        head.push(byte[0]);
    }
    Some(String::from_utf8(head).expect("a head is text").to_ascii_lowercase())
}

/// How many bytes follow a head.
pub(crate) fn content_length(head: &str) -> usize {
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    length.parse().expect("a length is a number")
}

/// Reads what follows a head.
pub(crate) fn read_body(stream: &mut impl Read, head: &str) {
    stream.read_exact(&mut vec![0; content_length(head)]).expect("the whole body comes");
}

/// Answers every request when it is there as a whole; how many there were.
pub(crate) fn serve(stream: &mut (impl Read + Write)) -> u64 {
    let mut requests = 0;
    while let Some(head) = read_head(stream) {
        read_body(stream, &head);
        requests += 1;
        stream.write_all(OK).expect("the client takes the answer");
    }
    requests
}

/// Reads one answer, with its body.
pub(crate) fn read_answer(stream: &mut impl Read) {
    let head = read_head(stream).expect("an answer comes");
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    read_body(stream, &head);
}
