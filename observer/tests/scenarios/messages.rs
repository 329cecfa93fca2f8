//! As much of HTTP as the tool needs to know requests, and no more: the path of a request is the length of the answer it
//! wants, and the answer is that many bytes.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

const METHOD: &str = "GET /";
const DIGITS: usize = 10;
const VERSION: &str = " HTTP/1.1\r\n\r\n";
const REQUEST_BYTES: usize = METHOD.len() + DIGITS + VERSION.len();

/// A request as it is sent. All are of one length.
pub(crate) fn request_for(answer_bytes: u32) -> String {
    format!("{METHOD}{answer_bytes:0DIGITS$}{VERSION}")
}

/// Asks, and leaves the answer to be read.
pub(crate) fn request(stream: &mut impl Write, answer_bytes: u32) -> io::Result<()> {
    stream.write_all(request_for(answer_bytes).as_bytes())
}

/// Asks, and reads the answer to its end.
pub(crate) fn ask(stream: &mut (impl Read + Write), answer_bytes: u32) -> io::Result<()> {
    request(stream, answer_bytes)?;
    stream.read_exact(&mut vec![0; answer_bytes as usize])
}

/// The next request; none if the client is gone, in order or not.
pub(crate) fn wanted(stream: &mut impl Read) -> Option<u32> {
    let mut request = [0; REQUEST_BYTES];
    stream.read_exact(&mut request).ok()?;
    str::from_utf8(&request).ok()?.strip_prefix(METHOD)?.strip_suffix(VERSION)?.parse().ok()
}

/// Answers one request, as far as the client takes it; whether there was one.
pub(crate) fn serve_one(stream: &mut (impl Read + Write)) -> bool {
    let Some(bytes) = wanted(stream) else { return false };
    // A client may go away in the middle of an answer: that is what some scenarios are about.
    let _ = stream.write_all(&vec![b'.'; bytes as usize]);
    true
}

/// Answers requests until the client is gone; how many there were.
#[expect(clippy::unnecessary_wraps, reason = "a talk")]
pub(crate) fn serve(mut stream: TcpStream) -> io::Result<u64> {
    let mut served = 0;
    while serve_one(&mut stream) {
        served += 1;
    }
    Ok(served)
}

/// Reads to the end that the other side has made in order; how many bytes came.
pub(crate) fn read_to_end(stream: &mut impl Read) -> io::Result<usize> {
    stream.read_to_end(&mut Vec::new())
}
