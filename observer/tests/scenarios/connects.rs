//! Connects: those that do not come through, those that are not used, and IPv6.

use std::{
    net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream},
    thread,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use rustix::io::Errno;

use crate::{
    expected::{Close, Expected},
    messages::{ask, read_to_end, serve},
    peer::{Peer, Truth, connect as connected, listener},
    scenario::Scenario,
    sockets::{Closed, begin_to_connect, bound, connect, local_address, socket, wait_for_connection},
};

pub(crate) const ALL: &[Scenario] = &[
    Scenario { name: "refused", act: refused, expected: Expected { failures: &[("ECONNREFUSED", 1)], closes: &[] } },
    Scenario {
        name: "never used",
        act: never_used,
        expected: Expected { failures: &[], closes: &[(2, Close::UNUSED)] },
    },
    Scenario {
        name: "IPv6",
        act: ipv6,
        expected: Expected { failures: &[], closes: &[(1, Close { exchanges: 2, ..Close::USUAL })] },
    },
    Scenario {
        name: "tried again on the same socket",
        act: tried_again,
        expected: Expected { failures: &[("ECONNREFUSED", 2)], closes: &[(1, Close { exchanges: 2, ..Close::USUAL })] },
    },
    Scenario {
        name: "no local port left",
        act: no_port_left,
        expected: Expected { failures: &[("EADDRNOTAVAIL", 1)], closes: &[(1, Close::UNUSED)] },
    },
    Scenario {
        name: "an abandoned connect",
        act: abandoned,
        expected: Expected { failures: &[("abandoned", 1)], closes: &[(1, Close::UNUSED)] },
    },
];

fn refused() -> Result<Truth> {
    let closed = Closed::new()?;
    connect(socket()?, closed.address, Err(Errno::CONNREFUSED))?;
    Ok(Truth { port: closed.address.port(), connections: 0, exchanges: 0, pool: None })
}

fn never_used() -> Result<Truth> {
    let peer = Peer::new(serve)?;
    for _ in 0..2 {
        peer.connect()?;
    }
    peer.truth(2)
}

fn ipv6() -> Result<Truth> {
    let peer = Peer::on(listener(Ipv6Addr::LOCALHOST.into())?, serve)?;
    let mut stream = peer.connect()?;
    for _ in 0..2 {
        ask(&mut stream, 100)?;
    }
    drop(stream);
    peer.truth(1)
}

fn tried_again() -> Result<Truth> {
    let closed = Closed::new()?;
    let (address, socket) = (closed.address, socket()?);
    for _ in 0..2 {
        connect(&socket, address, Err(Errno::CONNREFUSED))?;
    }
    let peer = Peer::on(closed.open(16)?, serve)?;
    connect(&socket, address, Ok(()))?;
    let mut stream = TcpStream::from(socket);
    for _ in 0..2 {
        ask(&mut stream, 100)?;
    }
    drop(stream);
    peer.truth(1)
}

/// Two sockets with the same address cannot both connect to one other.
fn no_port_left() -> Result<Truth> {
    let peer = Peer::new(serve)?;
    let first = bound((Ipv4Addr::LOCALHOST, 0).into())?;
    let second = bound(local_address(&first)?)?;
    connect(&first, peer.address, Ok(()))?;
    connect(&second, peer.address, Err(Errno::ADDRNOTAVAIL))?;
    drop((first, second));
    peer.truth(1)
}

/// A full queue of a listener leaves the next connect without an answer.
fn abandoned() -> Result<Truth> {
    let closed = Closed::new()?;
    let address = closed.address;
    let listener = closed.open(0)?;
    let queued = connected(address)?;
    // The client is through before the listener knows.
    wait_for_connection(&listener)?;
    drop(begin_to_connect(address)?);
    let accepting = thread::spawn(move || accept_one(&listener));
    drop(queued);
    accepting.join().map_err(|_| anyhow!("the peer panicked"))?
}

/// Accepts the connection that is in the queue, which is not used.
fn accept_one(listener: &TcpListener) -> Result<Truth> {
    let (mut stream, _) = listener.accept().context("no connection is in the queue")?;
    ensure!(read_to_end(&mut stream)? == 0, "the connection in the queue was used");
    Ok(Truth { port: listener.local_addr()?.port(), connections: 1, exchanges: 0, pool: None })
}
