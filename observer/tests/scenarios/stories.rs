//! The story: ten requests for a body that is left unread, and ten for one that is read.

use std::{io::Read as _, net::TcpStream};

use anyhow::Result;

use crate::{
    expected::{Close, Expected},
    messages::{ask, request, serve},
    peer::{Peer, Truth},
    scenario::Scenario,
    sockets::wait_for_bytes,
};

const REQUESTS: usize = 10;
const BODY_BYTES: u32 = 2 << 20;

pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "story, body left unread",
        act: undrained,
        expected: Expected { failures: &[], closes: &[(10, Close::LEFT_UNREAD)] },
    },
    Scenario {
        name: "story, body read",
        act: drained,
        expected: Expected { failures: &[], closes: &[(1, Close { exchanges: 10, ..Close::USUAL })] },
    },
];

/// Only a connection whose answer is read to its end can take another request.
fn undrained() -> Result<Truth> {
    let peer = Peer::new(serve)?;
    for _ in 0..REQUESTS {
        let mut stream = peer.connect()?;
        request(&mut stream, BODY_BYTES)?;
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
