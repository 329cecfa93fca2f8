//! An HTTP client that behaves like a connection pool: it reuses a connection after the response is read to its end,
//! and closes one with a body left unread.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    LeftUnread,
    ReadToItsEnd,
}

/// Fetches the same page `times` times.
pub(super) fn fetch(address: SocketAddr, body: Body, times: u64, timeout: Duration) -> io::Result<()> {
    let mut idle = None;
    for _ in 0..times {
        let connection = match idle.take() {
            Some(connection) => connection,
            None => connect(address, timeout)?,
        };
        idle = exchange(connection, body)?;
    }
    Ok(())
}

fn connect(address: SocketAddr, timeout: Duration) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    Ok(BufReader::new(stream))
}

/// Sends one request and handles the response. Returns the connection if it can be reused.
fn exchange(mut connection: BufReader<TcpStream>, body: Body) -> io::Result<Option<BufReader<TcpStream>>> {
    connection.get_mut().write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut length = 0;
    let mut line = String::new();
    while connection.read_line(&mut line)? > 0 && line != "\r\n" {
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        line.clear();
    }
    if body == Body::LeftUnread {
        return Ok(None);
    }
    let read = io::copy(&mut connection.by_ref().take(length), &mut io::sink())?;
    if read == length { Ok(Some(connection)) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
