//! Scripted connections: a list of lines that both sides play. The script fixes which bytes go out in one send and which
//! are read before the next send, because the tool counts by these alone.

use std::{
    io::{self, IoSlice, Read as _, Write as _},
    net::TcpStream,
};

use anyhow::{Result, ensure};

use crate::{
    messages::read_to_end,
    peer::{Peer, Truth},
    sockets::wait_for_bytes,
};

pub(crate) enum Line {
    /// The client sends this in one call.
    Client(Vec<u8>),
    /// The client sends this in one call, with a buffer for each part.
    ClientInParts(Vec<Vec<u8>>),
    /// The peer sends this unasked, or as a part of the set-up.
    Peer(Vec<u8>),
    /// The peer sends this. The client waits for it to arrive, but reads it only together with the peer's next line.
    PeerUnread(Vec<u8>),
    /// The peer answers a request with this.
    Answer(Vec<u8>),
}

/// How the client reads a given number of bytes.
pub(crate) type ReadFn = fn(&mut TcpStream, usize) -> io::Result<()>;

/// Plays the lines on one connection, which the client closes at the end.
pub(crate) fn play(lines: Vec<Line>, read: ReadFn) -> Result<Truth> {
    let lines: &'static [Line] = lines.leak();
    let peer = Peer::new(|stream| play_peer(stream, lines))?;
    let mut stream = peer.connect()?;
    // Without Nagle's algorithm, a send does not wait for the acknowledgement of the one before.
    stream.set_nodelay(true)?;
    play_client(&mut stream, lines, read)?;
    drop(stream);
    peer.truth(1)
}

/// Reads as much per call as has arrived.
pub(crate) fn read_at_once(stream: &mut TcpStream, bytes: usize) -> io::Result<()> {
    stream.read_exact(&mut vec![0; bytes])
}

fn play_client(stream: &mut TcpStream, lines: &[Line], read: ReadFn) -> Result<()> {
    let mut unread = 0;
    for line in lines {
        match line {
            Line::Client(bytes) => {
                let sent = stream.write(bytes)?;
                ensure!(sent == bytes.len(), "the kernel took {sent} of {} bytes", bytes.len());
            }
            Line::ClientInParts(parts) => {
                let buffers: Vec<IoSlice> = parts.iter().map(|part| IoSlice::new(part)).collect();
                let sent = stream.write_vectored(&buffers)?;
                let bytes = parts.iter().map(Vec::len).sum::<usize>();
                ensure!(sent == bytes, "the kernel took {sent} of {bytes} bytes");
            }
            Line::PeerUnread(bytes) => {
                unread += bytes.len();
                wait_for_bytes(&*stream, unread as u64)?;
            }
            Line::Peer(bytes) | Line::Answer(bytes) => read(stream, unread + bytes.len()).map(|()| unread = 0)?,
        }
    }
    Ok(())
}

/// Returns the number of requests that were answered.
fn play_peer(mut stream: TcpStream, lines: &[Line]) -> io::Result<u64> {
    stream.set_nodelay(true)?;
    let mut answered = 0;
    for line in lines {
        match line {
            Line::Client(bytes) => read_at_once(&mut stream, bytes.len())?,
            Line::ClientInParts(parts) => read_at_once(&mut stream, parts.iter().map(Vec::len).sum())?,
            Line::Peer(bytes) | Line::PeerUnread(bytes) => stream.write_all(bytes)?,
            Line::Answer(bytes) => {
                stream.write_all(bytes)?;
                answered += 1;
            }
        }
    }
    match read_to_end(&mut stream)? {
        0 => Ok(answered),
        more => Err(io::Error::other(format!("the client sent {more} bytes more than its lines"))),
    }
}
