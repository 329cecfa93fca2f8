//! Uploads, and many connections at once.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    net::TcpStream,
};

use anyhow::{Result, ensure};
use rustix::fs::{MemfdFlags, memfd_create, sendfile};

use crate::{
    expected::Close,
    messages::{ask, read_to_end, serve},
    peer::{Peer, Truth},
    scenario::Scenario,
};

const UPLOAD_BYTES: usize = 1 << 20;
const UPLOAD: &[u8] = b"PUT / HTTP/1.1\r\nContent-Length: 1048576\r\n\r\n";
const LOG: &[u8] = b"POST /log HTTP/1.1\r\nContent-Length: 50\r\n\r\n";
const THANKS: &[u8; 6] = b"thanks";

pub(crate) const ALL: &[Scenario] = &[
    Scenario::new("one-way sender", one_way, &[(1, Close::TYPICAL)]),
    Scenario::new("one-way sender, unrecognised protocol", one_way_unrecognised, &[(1, Close::UNRECOGNISED)]),
    Scenario::new("sendfile", send_file, &[(1, Close { exchanges: 2, ..Close::TYPICAL })]),
    Scenario::new("500 connections at once", many_at_once, &[(500, Close { exchanges: 2, ..Close::TYPICAL })]),
];

/// A connection that only sends has one exchange, by definition.
fn one_way() -> Result<Truth> {
    send_logs(LOG)
}

fn one_way_unrecognised() -> Result<Truth> {
    send_logs(b"")
}

/// Sends a copy, because a page of the program's file may not be in memory, and then no hook can read it.
fn send_copy(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    let copy = bytes.to_vec();
    stream.write_all(&copy)
}

fn send_logs(head: &'static [u8]) -> Result<Truth> {
    let peer = Peer::new(|mut stream| Ok((read_to_end(&mut stream)? == head.len() + 50).into()))?;
    let mut stream = peer.connect()?;
    send_copy(&mut stream, head)?;
    for _ in 0..10 {
        send_copy(&mut stream, b"a log")?;
    }
    drop(stream);
    peer.truth(1)
}

/// Uploads a file: a head, then pages that are sent without a copy. Before Linux 6.5 these go through
/// `do_tcp_sendpages()`.
fn send_file() -> Result<Truth> {
    let peer = Peer::new(serve_uploads)?;
    let mut file = File::from(memfd_create("upload", MemfdFlags::CLOEXEC)?);
    file.write_all(&vec![b'.'; UPLOAD_BYTES])?;
    let mut stream = peer.connect()?;
    for _ in 0..2 {
        send_copy(&mut stream, UPLOAD)?;
        let mut offset = 0;
        while offset < UPLOAD_BYTES as u64 {
            let left = UPLOAD_BYTES - offset as usize;
            ensure!(sendfile(&stream, &file, Some(&mut offset), left)? > 0, "the file ended early");
        }
        stream.read_exact(&mut [0; THANKS.len()])?;
    }
    drop(stream);
    peer.truth(1)
}

fn serve_uploads(mut stream: TcpStream) -> io::Result<u64> {
    let mut upload = vec![0; UPLOAD.len() + UPLOAD_BYTES];
    let mut served = 0;
    while stream.read_exact(&mut upload).is_ok() {
        stream.write_all(THANKS)?;
        served += 1;
    }
    Ok(served)
}

fn many_at_once() -> Result<Truth> {
    let peer = Peer::new(serve)?;
    let mut streams = (0..500).map(|_| peer.connect()).collect::<Result<Vec<TcpStream>>>()?;
    for _ in 0..2 {
        streams.iter_mut().try_for_each(|stream| ask(stream, 100))?;
    }
    drop(streams);
    peer.truth(500)
}
