//! How clients keep connections, and what keeps them from it.

use std::{
    io::{self, Read as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Result, ensure};

use crate::{
    expected::{Close, Unread},
    messages::{ask, read_to_end, request, serve, serve_one, wanted},
    peer::{Peer, Truth},
    scenario::Scenario,
    sockets::wait_for_bytes,
};

const HEAD_BYTES: u32 = 64;
const IDLE: Duration = Duration::from_millis(50);

pub(crate) const ALL: &[Scenario] = &[
    Scenario::of("ten requests on one connection", kept, &[(1, Close { exchanges: 10, ..Close::USUAL })]),
    Scenario::of("14 connections at once", parallel, &[(14, Close::USUAL)]),
    Scenario::of("the server closes after each answer", closed_after_each, &[(5, Close::BY_PEER)]),
    Scenario::of("the server closes what is idle", closed_when_idle, &[(2, Close::BY_PEER)]),
    Scenario::of(
        "a body of 100 bytes left unread",
        small,
        &[(3, Close { unread_bytes: Unread::Exactly(100), ..Close::LEFT_UNREAD })],
    ),
    Scenario::of(
        "a body of 20 KB left unread",
        middle,
        &[(3, Close { unread_bytes: Unread::Exactly(20_000), ..Close::LEFT_UNREAD })],
    ),
    Scenario::of("a body of 2 MB left unread", large, &[(3, Close::LEFT_UNREAD)]),
];

fn kept() -> Result<Truth> {
    let peer = Peer::new(serve)?;
    let mut stream = peer.connect()?;
    for _ in 0..10 {
        ask(&mut stream, 100)?;
    }
    drop(stream);
    peer.truth(1)
}

fn parallel() -> Result<Truth> {
    let peer = Peer::new(serve)?;
    let mut streams = (0..14).map(|_| peer.connect()).collect::<Result<Vec<TcpStream>>>()?;
    streams.iter_mut().try_for_each(|stream| request(stream, 100))?;
    streams.iter_mut().try_for_each(|stream| stream.read_exact(&mut [0; 100]))?;
    drop(streams);
    peer.truth(14)
}

fn closed_after_each() -> Result<Truth> {
    let peer = Peer::new(|mut stream| Ok(serve_one(&mut stream).into()))?;
    for _ in 0..5 {
        ask_and_wait_for_end(&peer)?;
    }
    peer.truth(5)
}

fn closed_when_idle() -> Result<Truth> {
    let peer = Peer::new(serve_until_idle)?;
    for _ in 0..2 {
        ask_and_wait_for_end(&peer)?;
    }
    peer.truth(2)
}

/// The first request may come late: only behind an answer the connection is idle.
fn serve_until_idle(mut stream: TcpStream) -> io::Result<u64> {
    let served = serve_one(&mut stream);
    stream.set_read_timeout(Some(IDLE))?;
    match wanted(&mut stream) {
        None => Ok(served.into()),
        Some(_) => Err(io::Error::other("the client asks again")),
    }
}

fn ask_and_wait_for_end(peer: &Peer) -> Result<()> {
    let mut stream = peer.connect()?;
    ask(&mut stream, 100)?;
    ensure!(read_to_end(&mut stream)? == 0, "the peer says more than its answer");
    Ok(())
}

fn small() -> Result<Truth> {
    left_unread(100, 100)
}

fn middle() -> Result<Truth> {
    left_unread(20_000, 20_000)
}

fn large() -> Result<Truth> {
    left_unread(2 << 20, 1)
}

/// Reads the head alone, and closes when `there` bytes of the body have come.
fn left_unread(body: u32, there: u64) -> Result<Truth> {
    let peer = Peer::new(serve)?;
    for _ in 0..3 {
        let mut stream = peer.connect()?;
        request(&mut stream, HEAD_BYTES + body)?;
        stream.read_exact(&mut [0; HEAD_BYTES as usize])?;
        wait_for_bytes(&stream, there)?;
    }
    peer.truth(3)
}
