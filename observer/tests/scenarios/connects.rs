//! Connects that fail, connections that are never used, and IPv6.

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
    sockets::{ClosedPort, begin_connect, bound, connect, local_address, socket, wait_for_connection},
};

pub(crate) const ALL: &[Scenario] = &[
    Scenario { name: "refused", run: refused, expected: Expected { failures: &[("ECONNREFUSED", 1)], closes: &[] } },
    Scenario::new("connected, never used", never_used, &[(2, Close::UNUSED)]),
    Scenario::new("IPv6", ipv6, &[(1, Close { exchanges: 2, ..Close::TYPICAL })]),
    Scenario {
        name: "refused, then retried on the same socket",
        run: retried,
        expected: Expected {
            failures: &[("ECONNREFUSED", 2)],
            closes: &[(1, Close { exchanges: 2, ..Close::TYPICAL })],
        },
    },
    Scenario {
        name: "no local port left",
        run: no_port_left,
        expected: Expected { failures: &[("EADDRNOTAVAIL", 1)], closes: &[(1, Close::UNUSED)] },
    },
    Scenario {
        name: "connect abandoned by close",
        run: abandoned,
        expected: Expected { failures: &[("abandoned", 1)], closes: &[(1, Close::UNUSED)] },
    },
];

fn refused() -> Result<Truth> {
    let closed = ClosedPort::new()?;
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

fn retried() -> Result<Truth> {
    let closed = ClosedPort::new()?;
    let (address, socket) = (closed.address, socket()?);
    for _ in 0..2 {
        connect(&socket, address, Err(Errno::CONNREFUSED))?;
    }
    let peer = Peer::on(closed.listen(16)?, serve)?;
    connect(&socket, address, Ok(()))?;
    let mut stream = TcpStream::from(socket);
    for _ in 0..2 {
        ask(&mut stream, 100)?;
    }
    drop(stream);
    peer.truth(1)
}

/// Two sockets with the same local address cannot both connect to one remote address.
fn no_port_left() -> Result<Truth> {
    let peer = Peer::new(serve)?;
    let first = bound((Ipv4Addr::LOCALHOST, 0).into())?;
    let second = bound(local_address(&first)?)?;
    connect(&first, peer.address, Ok(()))?;
    connect(&second, peer.address, Err(Errno::ADDRNOTAVAIL))?;
    drop((first, second));
    peer.truth(1)
}

/// A listener whose queue is full does not answer the next SYN.
fn abandoned() -> Result<Truth> {
    let closed = ClosedPort::new()?;
    let address = closed.address;
    let listener = closed.listen(0)?;
    let queued = connected(address)?;
    // The client's connect returns before the connection is in the listener's queue.
    wait_for_connection(&listener)?;
    drop(begin_connect(address)?);
    let accepting = thread::spawn(move || accept_one(&listener));
    drop(queued);
    accepting.join().map_err(|_| anyhow!("the peer panicked"))?
}

/// Accepts the queued connection, which carries no request.
fn accept_one(listener: &TcpListener) -> Result<Truth> {
    let (mut stream, _) = listener.accept().context("cannot accept the queued connection")?;
    ensure!(read_to_end(&mut stream)? == 0, "the queued connection carried payload");
    Ok(Truth { port: listener.local_addr()?.port(), connections: 1, exchanges: 0, pool: None })
}
