//! A connection as a dialogue, written down line by line and spoken by both sides. What is sent in one piece and what
//! is read before the next send is all that the tool goes by.

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
    /// By the client, in one send
    Client(Vec<u8>),
    /// By the client, in one send that has a buffer for each part
    ClientInParts(Vec<Vec<u8>>),
    /// By the peer; nobody has asked for it, or it is a part of the set-up
    Peer(Vec<u8>),
    /// By the peer. It is there before the client goes on, which reads it together with what the peer says next.
    PeerUnread(Vec<u8>),
    /// By the peer, to a request
    Answer(Vec<u8>),
}

/// How the client reads so many bytes.
pub(crate) type Reads = fn(&mut TcpStream, usize) -> io::Result<()>;

/// Speaks it on a connection that the client closes at the end.
pub(crate) fn speak(lines: Vec<Line>, reads: Reads) -> Result<Truth> {
    let lines: &'static [Line] = lines.leak();
    let peer = Peer::new(|stream| speak_as_peer(stream, lines))?;
    let mut stream = peer.connect()?;
    // What is sent in pieces need not wait until the piece before has been received.
    stream.set_nodelay(true)?;
    speak_as_client(&mut stream, lines, reads)?;
    drop(stream);
    peer.truth(1)
}

/// Takes as much at a time as has come.
pub(crate) fn at_once(stream: &mut TcpStream, bytes: usize) -> io::Result<()> {
    stream.read_exact(&mut vec![0; bytes])
}

fn speak_as_client(stream: &mut TcpStream, lines: &[Line], reads: Reads) -> Result<()> {
    let mut unread = 0;
    for line in lines {
        match line {
            Line::Client(bytes) => {
                let sent = stream.write(bytes)?;
                ensure!(sent == bytes.len(), "a send of {} bytes took {sent}", bytes.len());
            }
            Line::ClientInParts(parts) => {
                let buffers: Vec<IoSlice> = parts.iter().map(|part| IoSlice::new(part)).collect();
                let sent = stream.write_vectored(&buffers)?;
                ensure!(sent == parts.iter().map(Vec::len).sum::<usize>(), "a send of all parts took {sent} bytes");
            }
            Line::PeerUnread(bytes) => {
                unread += bytes.len();
                wait_for_bytes(&*stream, unread as u64)?;
            }
            Line::Peer(bytes) | Line::Answer(bytes) => reads(stream, unread + bytes.len()).map(|()| unread = 0)?,
        }
    }
    Ok(())
}

/// How many requests it has answered.
fn speak_as_peer(mut stream: TcpStream, lines: &[Line]) -> io::Result<u64> {
    stream.set_nodelay(true)?;
    let mut answered = 0;
    for line in lines {
        match line {
            Line::Client(bytes) => at_once(&mut stream, bytes.len())?,
            Line::ClientInParts(parts) => at_once(&mut stream, parts.iter().map(Vec::len).sum())?,
            Line::Peer(bytes) | Line::PeerUnread(bytes) => stream.write_all(bytes)?,
            Line::Answer(bytes) => {
                stream.write_all(bytes)?;
                answered += 1;
            }
        }
    }
    match read_to_end(&mut stream)? {
        0 => Ok(answered),
        more => Err(io::Error::other(format!("the client has sent {more} bytes more"))),
    }
}
