//! How clients keep connections, and what prevents it.

use std::{
    io::{self, Read as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Result, ensure};

use crate::{
    expected::{Close, Unread},
    messages::{ask, read_request, read_to_end, send_request, serve, serve_one},
    peer::{Peer, Truth},
    scenario::Scenario,
    sockets::wait_for_bytes,
};

const HEAD_BYTES: u32 = 64;
const IDLE: Duration = Duration::from_millis(50);

pub(crate) const ALL: &[Scenario] = &[
    Scenario::new("ten requests on one connection", kept, &[(1, Close { exchanges: 10, ..Close::TYPICAL })]),
    Scenario::new("14 connections at once", parallel, &[(14, Close::TYPICAL)]),
    Scenario::new("the server closes after each answer", closed_after_each, &[(5, Close::BY_PEER)]),
    Scenario::new("the server closes idle connections", closed_when_idle, &[(2, Close::BY_PEER)]),
    Scenario::new(
        "a body of 100 bytes left unread",
        small,
        &[(3, Close { unread_bytes: Unread::Exactly(100), ..Close::LEFT_UNREAD })],
    ),
    Scenario::new(
        "a body of 20 KB left unread",
        middle,
        &[(3, Close { unread_bytes: Unread::Exactly(20_000), ..Close::LEFT_UNREAD })],
    ),
    Scenario::new("a body of 2 MB left unread", large, &[(3, Close::LEFT_UNREAD)]),
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
    streams.iter_mut().try_for_each(|stream| send_request(stream, 100))?;
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

/// Applies the idle timeout after the first answer only, because the first request may come late.
fn serve_until_idle(mut stream: TcpStream) -> io::Result<u64> {
    let served = serve_one(&mut stream);
    stream.set_read_timeout(Some(IDLE))?;
    match read_request(&mut stream) {
        None => Ok(served.into()),
        Some(_) => Err(io::Error::other("the client sent another request")),
    }
}

fn ask_and_wait_for_end(peer: &Peer) -> Result<()> {
    let mut stream = peer.connect()?;
    ask(&mut stream, 100)?;
    ensure!(read_to_end(&mut stream)? == 0, "the peer sent more than its answer");
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

/// Reads only the head, and closes once `arrived` bytes of the body have arrived.
fn left_unread(body: u32, arrived: u64) -> Result<Truth> {
    let peer = Peer::new(serve)?;
    for _ in 0..3 {
        let mut stream = peer.connect()?;
        send_request(&mut stream, HEAD_BYTES + body)?;
        stream.read_exact(&mut [0; HEAD_BYTES as usize])?;
        wait_for_bytes(&stream, arrived)?;
    }
    peer.truth(3)
}
