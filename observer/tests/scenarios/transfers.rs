//! Uploads, and many connections at once.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    net::TcpStream,
};

use anyhow::{Result, ensure};
use rustix::fs::{MemfdFlags, memfd_create, sendfile};

use crate::{
    expected::{Close, Expected},
    messages::{ask, read_to_end, serve},
    peer::{Peer, Truth},
    scenario::Scenario,
};

const UPLOAD_BYTES: usize = 1 << 20;
const UPLOAD: &[u8] = b"PUT / HTTP/1.1\r\nContent-Length: 1048576\r\n\r\n";
const LOG: &[u8] = b"POST /log HTTP/1.1\r\nContent-Length: 50\r\n\r\n";
const THANKS: &[u8; 6] = b"thanks";

pub(crate) const ALL: &[Scenario] = &[
    Scenario { name: "one-way", act: one_way, expected: Expected { failures: &[], closes: &[(1, Close::USUAL)] } },
    Scenario {
        name: "one-way, in no protocol that is known",
        act: one_way_unrecognised,
        expected: Expected { failures: &[], closes: &[(1, Close::UNRECOGNISED)] },
    },
    Scenario {
        name: "sendfile",
        act: send_file,
        expected: Expected { failures: &[], closes: &[(1, Close { exchanges: 2, ..Close::USUAL })] },
    },
    Scenario {
        name: "500 connections at once",
        act: many_at_once,
        expected: Expected { failures: &[], closes: &[(500, Close { exchanges: 2, ..Close::USUAL })] },
    },
];

/// Who only sends has one exchange, by definition.
fn one_way() -> Result<Truth> {
    logged(LOG)
}

fn one_way_unrecognised() -> Result<Truth> {
    logged(b"")
}

fn logged(head: &'static [u8]) -> Result<Truth> {
    let peer = Peer::new(|mut stream| Ok((read_to_end(&mut stream)? == head.len() + 50).into()))?;
    let mut stream = peer.connect()?;
    stream.write_all(head)?;
    for _ in 0..10 {
        stream.write_all(b"a log")?;
    }
    drop(stream);
    peer.truth(1)
}

/// Uploads from a file: a head, and then pages that no copy is made of. Before 6.5 these go through
/// `do_tcp_sendpages()`.
fn send_file() -> Result<Truth> {
    let peer = Peer::new(take_uploads)?;
    let mut file = File::from(memfd_create("upload", MemfdFlags::CLOEXEC)?);
    file.write_all(&vec![b'.'; UPLOAD_BYTES])?;
    let mut stream = peer.connect()?;
    for _ in 0..2 {
        stream.write_all(UPLOAD)?;
        let mut offset = 0;
        while offset < UPLOAD_BYTES as u64 {
            let left = UPLOAD_BYTES - offset as usize;
            ensure!(sendfile(&stream, &file, Some(&mut offset), left)? > 0, "the file has ended early");
        }
        stream.read_exact(&mut [0; THANKS.len()])?;
    }
    drop(stream);
    peer.truth(1)
}

fn take_uploads(mut stream: TcpStream) -> io::Result<u64> {
    let mut upload = vec![0; UPLOAD.len() + UPLOAD_BYTES];
    let mut taken = 0;
    while stream.read_exact(&mut upload).is_ok() {
        stream.write_all(THANKS)?;
        taken += 1;
    }
    Ok(taken)
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
