//! A minimal HTTP/1.1 for peers and clients inside the tests: just enough to count requests in HTTP's own terms.

use std::io::{Read, Write};

/// The shortest answer with a body.
pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK";

/// The head of a request with a body of this length.
pub(crate) fn upload(length: usize) -> String {
    format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n")
}

/// Sends a copy of the bytes. A literal is in a page of the program's file, which the kernel takes out of memory if it was
/// not used for a while, and then no hook can read it.
pub(crate) fn send(stream: &mut impl Write, bytes: impl AsRef<[u8]>) {
    let copy = bytes.as_ref().to_vec();
    stream.write_all(&copy).expect("cannot send");
}

/// Reads the head of a message, including its empty line; `None` if the other side closed before it began.
pub(crate) fn read_head(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read(&mut byte), Ok(1)) {
            assert!(head.is_empty(), "truncated head: {}", String::from_utf8_lossy(&head));
            return None;
        }
        head.push(byte[0]);
    }
    Some(String::from_utf8(head).expect("a head is UTF-8").to_ascii_lowercase())
}

/// The length of the body that follows a head.
pub(crate) fn content_length(head: &str) -> usize {
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    length.parse().expect("a length is a number")
}

/// Reads the body that follows a head.
pub(crate) fn read_body(stream: &mut impl Read, head: &str) {
    stream.read_exact(&mut vec![0; content_length(head)]).expect("cannot read the whole body");
}

/// Answers each request once it is complete, and returns the number of requests.
pub(crate) fn serve(stream: &mut (impl Read + Write)) -> u64 {
    let mut requests = 0;
    while let Some(head) = read_head(stream) {
        read_body(stream, &head);
        requests += 1;
        stream.write_all(OK).expect("cannot send the answer");
    }
    requests
}

/// Reads one answer with its body.
pub(crate) fn read_answer(stream: &mut impl Read) {
    let head = read_head(stream).expect("cannot read the answer");
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    read_body(stream, &head);
}
