//! Socket operations that `std::net` lacks: options, a chosen local address, and connecting the same socket again.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, ioctl_fionbio, ioctl_fionread},
    net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, listen, socket_with, sockopt},
};

use crate::peer::{eventually, next_port};

/// A new TCP socket over IPv4, neither bound nor connected.
pub(crate) fn socket() -> Result<OwnedFd> {
    socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).context("cannot make a socket")
}

/// Connects a socket and checks the outcome.
pub(crate) fn connect(socket: impl AsFd, address: SocketAddr, expected: Result<(), Errno>) -> Result<()> {
    let outcome = rustix::net::connect(socket, &address);
    ensure!(outcome == expected, "connecting to {address} gave {outcome:?}, not {expected:?}");
    Ok(())
}

/// Starts a connect without waiting for it.
pub(crate) fn begin_connect(address: SocketAddr) -> Result<OwnedFd> {
    let socket = socket()?;
    ioctl_fionbio(&socket, true)?;
    connect(&socket, address, Err(Errno::INPROGRESS))?;
    Ok(socket)
}

pub(crate) fn local_address(socket: impl AsFd) -> Result<SocketAddr> {
    Ok(getsockname(socket)?.try_into()?)
}

/// A socket bound to this address, which other sockets may share.
pub(crate) fn bound(address: SocketAddr) -> Result<OwnedFd> {
    let socket = socket()?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address).with_context(|| format!("cannot bind to {address}"))?;
    Ok(socket)
}

/// A bound port that refuses connects until [`ClosedPort::listen`].
pub(crate) struct ClosedPort {
    socket: OwnedFd,
    pub(crate) address: SocketAddr,
}

impl ClosedPort {
    pub(crate) fn new() -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, next_port()?));
        Ok(Self { socket: bound(address)?, address })
    }

    /// Starts to listen. `backlog + 1` connections may wait to be accepted; the next SYN gets no answer
    /// (`sk_acceptq_is_full()`, include/net/sock.h).
    pub(crate) fn listen(self, backlog: i32) -> Result<TcpListener> {
        listen(&self.socket, backlog)?;
        Ok(TcpListener::from(self.socket))
    }
}

/// Makes `close` send a RST.
pub(crate) fn reset_on_close(socket: impl AsFd) -> rustix::io::Result<()> {
    sockopt::set_socket_linger(socket, Some(Duration::ZERO))
}

/// Waits until at least this many bytes can be read.
pub(crate) fn wait_for_bytes(socket: impl AsFd, bytes: u64) -> Result<()> {
    eventually("the answer has arrived", || ioctl_fionread(&socket).is_ok_and(|unread| unread >= bytes))
}

/// Waits until a connection can be accepted.
pub(crate) fn wait_for_connection(listener: &TcpListener) -> Result<()> {
    wait_for(listener, PollFlags::IN).context("no connection to accept")
}

/// Waits until both sides have sent a FIN (`tcp_poll()`, net/ipv4/tcp.c).
pub(crate) fn wait_for_hangup(socket: impl AsFd) -> Result<()> {
    // poll(2) reports POLLHUP without it being requested.
    wait_for(socket, PollFlags::HUP).context("the other side has not closed")
}

fn wait_for(socket: impl AsFd, event: PollFlags) -> Result<()> {
    let mut sockets = [PollFd::new(&socket, event.difference(PollFlags::HUP))];
    poll(&mut sockets, Some(&Timespec { tv_sec: 20, tv_nsec: 0 }))?;
    ensure!(sockets[0].revents().contains(event), "not within 20 s");
    Ok(())
}
