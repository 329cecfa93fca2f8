//! Why reading a body matters: ten requests whose bodies are left unread, and ten whose bodies are read.

use std::{io::Read as _, net::TcpStream};

use anyhow::Result;

use crate::{
    expected::Close,
    messages::{ask, send_request, serve},
    peer::{Peer, Truth},
    scenario::Scenario,
    sockets::wait_for_bytes,
};

const REQUESTS: usize = 10;
const BODY_BYTES: u32 = 2 << 20;

pub(crate) const ALL: &[Scenario] = &[
    Scenario::new("ten requests, each body left unread", undrained, &[(10, Close::LEFT_UNREAD)]),
    Scenario::new("ten requests, each body read", drained, &[(1, Close { exchanges: 10, ..Close::TYPICAL })]),
];

/// Takes a new connection for each request: one whose answer is not read to its end cannot carry another request.
fn undrained() -> Result<Truth> {
    let peer = Peer::new(serve)?;
    for _ in 0..REQUESTS {
        let mut stream = peer.connect()?;
        send_request(&mut stream, BODY_BYTES)?;
        read_head(&mut stream)?;
        wait_for_bytes(&stream, 1)?;
    }
    peer.truth(10)
}

fn drained() -> Result<Truth> {
    let peer = Peer::new(serve)?;
    let mut kept = None;
    for _ in 0..REQUESTS {
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => peer.connect()?,
        };
        ask(&mut stream, BODY_BYTES)?;
        kept = Some(stream);
    }
    drop(kept);
    peer.truth(1)
}

fn read_head(stream: &mut TcpStream) -> Result<()> {
    Ok(stream.read_exact(&mut [0; 512])?)
}
