//! How connections end: closed by the client or the peer, with a FIN or a RST, with or without unread bytes.

use std::{
    env,
    io::Read as _,
    net::{Shutdown, SocketAddr, TcpStream},
    process::Command,
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    expected::{Close, Unread},
    messages::{ask, read_request, read_to_end, send_request, serve, serve_one},
    peer::{Peer, Truth, connect},
    scenario::Scenario,
    sockets::{reset_on_close, wait_for_bytes, wait_for_hangup},
};

/// The argument that makes this program the client of [`process_exits`].
pub(crate) const CHILD: &str = "--scenario-child";

pub(crate) const ALL: &[Scenario] = &[
    Scenario::new("the client closes first", client_first, &[(1, Close { exchanges: 3, ..Close::TYPICAL })]),
    Scenario::new("the peer closes first", peer_first, &[(1, Close::BY_PEER)]),
    Scenario::new(
        "reset by the client",
        reset_by_client,
        &[(1, Close { how: "rst", cause: "aborted", ..Close::TYPICAL })],
    ),
    Scenario::new(
        "reset by the peer",
        reset_by_peer,
        &[(1, Close { how: "rst", unread_bytes: Unread::Undefined, cause: "reset-by-peer", ..Close::BY_PEER })],
    ),
    Scenario::new("closed in the middle of an answer of 2 MB", abandoned, &[(1, Close::LEFT_UNREAD)]),
    Scenario::new(
        "closed with 900 bytes unread",
        left_unread,
        &[(1, Close { unread_bytes: Unread::Exactly(900), ..Close::LEFT_UNREAD })],
    ),
    Scenario::new(
        "the process exits with open connections",
        process_exits,
        &[(3, Close { cause: "process-exit", ..Close::TYPICAL })],
    ),
    Scenario::new("half-closed, answer read after CLOSE", half_closed, &[(1, Close::TYPICAL)]),
    Scenario::new("half-closed, answer awaited in a read", half_closed_and_awaited, &[(1, Close::TYPICAL)]),
];

fn client_first() -> Result<Truth> {
    let peer = Peer::new(serve)?;
    let mut stream = peer.connect()?;
    for _ in 0..3 {
        ask(&mut stream, 100)?;
    }
    drop(stream);
    peer.truth(1)
}

fn peer_first() -> Result<Truth> {
    let peer = Peer::new(|mut stream| Ok(serve_one(&mut stream).into()))?;
    let mut stream = peer.connect()?;
    ask(&mut stream, 100)?;
    ensure!(read_to_end(&mut stream)? == 0, "the peer sent more than its answer");
    drop(stream);
    peer.truth(1)
}

fn reset_by_client() -> Result<Truth> {
    let peer = Peer::new(serve)?;
    let mut stream = peer.connect()?;
    ask(&mut stream, 100)?;
    reset_on_close(&stream)?;
    drop(stream);
    peer.truth(1)
}

fn reset_by_peer() -> Result<Truth> {
    let peer = Peer::new(|mut stream| {
        let served = serve_one(&mut stream);
        read_request(&mut stream);
        reset_on_close(&stream)?;
        Ok(served.into())
    })?;
    let mut stream = peer.connect()?;
    ask(&mut stream, 100)?;
    send_request(&mut stream, 100)?;
    ensure!(stream.read(&mut [0; 100]).is_err(), "the peer sent no reset");
    drop(stream);
    peer.truth(1)
}

fn abandoned() -> Result<Truth> {
    let peer = Peer::new(serve)?;
    let mut stream = peer.connect()?;
    send_request(&mut stream, 2 << 20)?;
    stream.read_exact(&mut [0; 4096])?;
    wait_for_bytes(&stream, 1)?;
    drop(stream);
    peer.truth(1)
}

fn left_unread() -> Result<Truth> {
    let peer = Peer::new(serve)?;
    let mut stream = peer.connect()?;
    send_request(&mut stream, 1000)?;
    stream.read_exact(&mut [0; 100])?;
    wait_for_bytes(&stream, 900)?;
    drop(stream);
    peer.truth(1)
}

pub(crate) fn process_exits() -> Result<Truth> {
    let peer = Peer::new(serve)?;
    run_child(peer.address)?;
    peer.truth(3)
}

/// Runs a process that opens three connections, uses them, and exits without closing them.
pub(crate) fn run_child(address: SocketAddr) -> Result<()> {
    let program = env::current_exe().context("cannot find this program's own file")?;
    let status = Command::new(program).args([CHILD, &address.to_string()]).status()?;
    ensure!(status.success(), "the child ended with {status}");
    Ok(())
}

/// The main function of that process. Returns the exit code and leaves the connections open.
pub(crate) fn child(address: &str) -> i32 {
    let used = || -> Result<TcpStream> {
        let mut stream = connect(address.parse()?)?;
        ask(&mut stream, 100)?;
        Ok(stream)
    };
    match (0..3).map(|_| used()).collect::<Result<Vec<_>>>() {
        Ok(streams) => {
            std::mem::forget(streams);
            0
        }
        Err(error) => {
            eprintln!("the child: {error:#}");
            1
        }
    }
}

/// Sends, shuts down writing, and reads after the socket has moved from FIN_WAIT2 to CLOSE (`tcp_time_wait()`).
fn half_closed() -> Result<Truth> {
    let peer = Peer::new(serve)?;
    let mut stream = peer.connect()?;
    send_request(&mut stream, 100)?;
    stream.shutdown(Shutdown::Write)?;
    wait_for_hangup(&stream)?;
    ensure!(read_to_end(&mut stream)? == 100, "the answer is not whole");
    drop(stream);
    peer.truth(1)
}

/// The same, but the client waits in a read for a late answer.
fn half_closed_and_awaited() -> Result<Truth> {
    let peer = Peer::new(|stream| {
        sleep(Duration::from_millis(50));
        serve(stream)
    })?;
    let mut stream = peer.connect()?;
    send_request(&mut stream, 100)?;
    stream.shutdown(Shutdown::Write)?;
    ensure!(read_to_end(&mut stream)? == 100, "the answer is not whole");
    drop(stream);
    peer.truth(1)
}
