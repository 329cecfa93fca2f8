//! Just enough HTTP for the tool to recognise requests: the path of a request is the length of the answer in bytes, and
//! the answer is that many bytes without a head.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

const METHOD: &str = "GET /";
const DIGITS: usize = 10;
const VERSION: &str = " HTTP/1.1\r\n\r\n";
const REQUEST_BYTES: usize = METHOD.len() + DIGITS + VERSION.len();

/// The bytes of a request. All requests have the same length.
pub(crate) fn request_for(answer_bytes: u32) -> String {
    format!("{METHOD}{answer_bytes:0DIGITS$}{VERSION}")
}

/// Sends a request and leaves the answer unread.
pub(crate) fn send_request(stream: &mut impl Write, answer_bytes: u32) -> io::Result<()> {
    stream.write_all(request_for(answer_bytes).as_bytes())
}

/// Sends a request and reads the answer to its end.
pub(crate) fn ask(stream: &mut (impl Read + Write), answer_bytes: u32) -> io::Result<()> {
    send_request(stream, answer_bytes)?;
    stream.read_exact(&mut vec![0; answer_bytes as usize])
}

/// Reads the next request and returns the length of the answer that it asks for; `None` once the client has closed or
/// reset the connection.
pub(crate) fn read_request(stream: &mut impl Read) -> Option<u32> {
    let mut request = [0; REQUEST_BYTES];
    stream.read_exact(&mut request).ok()?;
    str::from_utf8(&request).ok()?.strip_prefix(METHOD)?.strip_suffix(VERSION)?.parse().ok()
}

/// Answers one request, as far as the client reads the answer. Returns whether there was a request.
pub(crate) fn serve_one(stream: &mut (impl Read + Write)) -> bool {
    let Some(bytes) = read_request(stream) else { return false };
    // Some scenarios are about clients that close in the middle of an answer.
    let _ = stream.write_all(&vec![b'.'; bytes as usize]);
    true
}

/// Answers requests until the client closes, and returns their number.
#[expect(clippy::unnecessary_wraps, reason = "has the signature that `Peer::new` expects")]
pub(crate) fn serve(mut stream: TcpStream) -> io::Result<u64> {
    let mut served = 0;
    while serve_one(&mut stream) {
        served += 1;
    }
    Ok(served)
}

/// Reads until the other side's FIN and returns the number of bytes received.
pub(crate) fn read_to_end(stream: &mut impl Read) -> io::Result<usize> {
    stream.read_to_end(&mut Vec::new())
}
