//! How connections end: by whom, in order or not, and with what unread.

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
    expected::{Close, Expected, Unread},
    messages::{ask, read_to_end, request, serve, serve_one, wanted},
    peer::{Peer, Truth, connect},
    scenario::Scenario,
    sockets::{reset_on_close, wait_for_bytes, wait_for_hangup},
};

/// The argument that makes this program the client whose process ends.
pub(crate) const CHILD: &str = "--child-of-the-scenarios";

pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "the client closes first",
        act: client_first,
        expected: Expected { failures: &[], closes: &[(1, Close { exchanges: 3, ..Close::USUAL })] },
    },
    Scenario {
        name: "the peer closes first",
        act: peer_first,
        expected: Expected { failures: &[], closes: &[(1, Close::BY_PEER)] },
    },
    Scenario {
        name: "reset by the client",
        act: reset_by_client,
        expected: Expected { failures: &[], closes: &[(1, Close { how: "rst", cause: "aborted", ..Close::USUAL })] },
    },
    Scenario {
        name: "reset by the peer",
        act: reset_by_peer,
        expected: Expected {
            failures: &[],
            closes: &[(
                1,
                Close { how: "rst", unread_bytes: Unread::Undefined, cause: "reset-by-peer", ..Close::BY_PEER },
            )],
        },
    },
    Scenario {
        name: "2 MB abandoned",
        act: abandoned,
        expected: Expected { failures: &[], closes: &[(1, Close::LEFT_UNREAD)] },
    },
    Scenario {
        name: "900 bytes left unread",
        act: left_unread,
        expected: Expected {
            failures: &[],
            closes: &[(1, Close { unread_bytes: Unread::Exactly(900), ..Close::LEFT_UNREAD })],
        },
    },
    Scenario {
        name: "a process exits with open connections",
        act: process_exits,
        expected: Expected { failures: &[], closes: &[(3, Close { cause: "process-exit", ..Close::USUAL })] },
    },
    Scenario {
        name: "half-closed, the answer read after CLOSE",
        act: half_closed,
        expected: Expected { failures: &[], closes: &[(1, Close::USUAL)] },
    },
    Scenario {
        name: "half-closed, the answer awaited",
        act: half_closed_and_awaited,
        expected: Expected { failures: &[], closes: &[(1, Close::USUAL)] },
    },
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
    ensure!(read_to_end(&mut stream)? == 0, "the peer says more than its answer");
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
        wanted(&mut stream);
        reset_on_close(&stream)?;
        Ok(served.into())
    })?;
    let mut stream = peer.connect()?;
    ask(&mut stream, 100)?;
    request(&mut stream, 100)?;
    ensure!(stream.read(&mut [0; 100]).is_err(), "the peer does not reset");
    drop(stream);
    peer.truth(1)
}

fn abandoned() -> Result<Truth> {
    let peer = Peer::new(serve)?;
    let mut stream = peer.connect()?;
    request(&mut stream, 2 << 20)?;
    stream.read_exact(&mut [0; 4096])?;
    wait_for_bytes(&stream, 1)?;
    drop(stream);
    peer.truth(1)
}

fn left_unread() -> Result<Truth> {
    let peer = Peer::new(serve)?;
    let mut stream = peer.connect()?;
    request(&mut stream, 1000)?;
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

/// A process that opens three connections, uses them, and exits with them open.
pub(crate) fn run_child(address: SocketAddr) -> Result<()> {
    let program = env::current_exe().context("this program's own file is unknown")?;
    let status = Command::new(program).args([CHILD, &address.to_string()]).status()?;
    ensure!(status.success(), "the child ended with {status}");
    Ok(())
}

/// The process that exits: its exit code, with the connections still open.
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

/// Sends, ends sending, and reads when the socket has left FIN_WAIT2 for CLOSE (`tcp_time_wait()`).
fn half_closed() -> Result<Truth> {
    let peer = Peer::new(serve)?;
    let mut stream = peer.connect()?;
    request(&mut stream, 100)?;
    stream.shutdown(Shutdown::Write)?;
    wait_for_hangup(&stream)?;
    ensure!(read_to_end(&mut stream)? == 100, "the answer is not whole");
    drop(stream);
    peer.truth(1)
}

/// The same, but waiting in a read, and the answer comes late.
fn half_closed_and_awaited() -> Result<Truth> {
    let peer = Peer::new(|stream| {
        sleep(Duration::from_millis(50));
        serve(stream)
    })?;
    let mut stream = peer.connect()?;
    request(&mut stream, 100)?;
    stream.shutdown(Shutdown::Write)?;
    ensure!(read_to_end(&mut stream)? == 100, "the answer is not whole");
    drop(stream);
    peer.truth(1)
}
