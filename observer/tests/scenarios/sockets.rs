//! What `std::net` cannot do with a socket: options, a chosen local address, a connect that is tried again.

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

/// A TCP socket over IPv4 that does nothing yet.
pub(crate) fn socket() -> Result<OwnedFd> {
    socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).context("cannot make a socket")
}

/// Connects a socket, which has to give this outcome.
pub(crate) fn connect(socket: impl AsFd, address: SocketAddr, expected: Result<(), Errno>) -> Result<()> {
    let outcome = rustix::net::connect(socket, &address);
    ensure!(outcome == expected, "connecting to {address} gave {outcome:?}, not {expected:?}");
    Ok(())
}

/// Begins to connect and does not wait.
pub(crate) fn begin_to_connect(address: SocketAddr) -> Result<OwnedFd> {
    let socket = socket()?;
    ioctl_fionbio(&socket, true)?;
    connect(&socket, address, Err(Errno::INPROGRESS))?;
    Ok(socket)
}

pub(crate) fn local_address(socket: impl AsFd) -> Result<SocketAddr> {
    Ok(getsockname(socket)?.try_into()?)
}

/// A socket at this address, which others may share.
pub(crate) fn bound(address: SocketAddr) -> Result<OwnedFd> {
    let socket = socket()?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address).with_context(|| format!("cannot bind to {address}"))?;
    Ok(socket)
}

/// A port at which nobody listens, until [`Closed::open`] does.
pub(crate) struct Closed {
    socket: OwnedFd,
    pub(crate) address: SocketAddr,
}

impl Closed {
    pub(crate) fn new() -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, next_port()?));
        Ok(Self { socket: bound(address)?, address })
    }

    /// `queue`: how many connections wait to be accepted before one more has no answer, less one
    /// (`sk_acceptq_is_full()`, include/net/sock.h).
    pub(crate) fn open(self, queue: i32) -> Result<TcpListener> {
        listen(&self.socket, queue)?;
        Ok(TcpListener::from(self.socket))
    }
}

/// Makes close send a reset.
pub(crate) fn reset_on_close(socket: impl AsFd) -> rustix::io::Result<()> {
    sockopt::set_socket_linger(socket, Some(Duration::ZERO))
}

/// Waits until at least this many bytes are there to be read.
pub(crate) fn wait_for_bytes(socket: impl AsFd, bytes: u64) -> Result<()> {
    eventually("the answer is there", || ioctl_fionread(&socket).is_ok_and(|there| there >= bytes))
}

/// Waits until there is one to accept.
pub(crate) fn wait_for_connection(listener: &TcpListener) -> Result<()> {
    wait_for(listener, PollFlags::IN).context("no connection comes")
}

/// Waits until both sides have ended what they send (`tcp_poll()`, net/ipv4/tcp.c).
pub(crate) fn wait_for_hangup(socket: impl AsFd) -> Result<()> {
    // It is reported without being asked for.
    wait_for(socket, PollFlags::HUP).context("the other side has not ended")
}

fn wait_for(socket: impl AsFd, event: PollFlags) -> Result<()> {
    let mut sockets = [PollFd::new(&socket, event.difference(PollFlags::HUP))];
    poll(&mut sockets, Some(&Timespec { tv_sec: 20, tv_nsec: 0 }))?;
    ensure!(sockets[0].revents().contains(event), "not within 20 s");
    Ok(())
}
