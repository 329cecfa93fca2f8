//! Socket operations that `std::net` lacks: options, a chosen local address, a non-blocking connect.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::{AsFd, AsRawFd as _, OwnedFd},
    time::Duration,
};

use rustix::{
    io::{Errno, Result, ioctl_fionbio},
    net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, listen, socket_with, sockopt},
};

/// A new, unconnected TCP socket over IPv4.
pub(crate) fn socket() -> OwnedFd {
    of_family(AddressFamily::INET)
}

pub(crate) fn of_family(family: AddressFamily) -> OwnedFd {
    socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None).expect("cannot create a socket")
}

pub(crate) fn connect(socket: impl AsFd, address: SocketAddr) -> Result<()> {
    rustix::net::connect(socket, &address)
}

pub(crate) fn local_address(socket: impl AsFd) -> SocketAddr {
    getsockname(socket).expect("the socket is bound").try_into().expect("the address is IPv4 or IPv6")
}

/// A socket bound to this address with `SO_REUSEADDR`.
pub(crate) fn bound(address: SocketAddr) -> OwnedFd {
    let socket = of_family(if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 });
    sockopt::set_socket_reuseaddr(&socket, true).expect("cannot set SO_REUSEADDR");
    bind(&socket, &address).unwrap_or_else(|error| panic!("cannot bind to {address}: {error}"));
    socket
}

/// A reserved port on loopback with no listener, until [`ReservedPort::listen`].
pub(crate) struct ReservedPort {
    socket: OwnedFd,
    pub(crate) address: SocketAddr,
}

impl ReservedPort {
    pub(crate) fn new() -> Self {
        let socket = bound(SocketAddr::from(([127, 0, 0, 1], 0)));
        let address = local_address(&socket);
        Self { socket, address }
    }

    pub(crate) fn listen(self) -> TcpListener {
        listen(&self.socket, 16).expect("cannot listen");
        TcpListener::from(self.socket)
    }
}

/// A listener that never accepts and whose queue is full: further connects get no answer.
pub(crate) struct UnresponsiveListener {
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
    pub(crate) address: SocketAddr,
}

impl UnresponsiveListener {
    pub(crate) fn new() -> Self {
        let socket = bound(SocketAddr::from(([127, 0, 0, 1], 0)));
        // The queue holds one connection more than its length (`sk_acceptq_is_full()`, include/net/sock.h).
        listen(&socket, 0).expect("cannot listen");
        let address = local_address(&socket);
        let queued = TcpStream::connect(address).expect("cannot connect");
        Self { _listener: TcpListener::from(socket), _queued: vec![queued], address }
    }

    /// A non-blocking socket whose connect to this listener is in progress.
    pub(crate) fn begin_connect(&self) -> OwnedFd {
        let socket = socket();
        ioctl_fionbio(&socket, true).expect("cannot make the socket non-blocking");
        assert_eq!(connect(&socket, self.address), Err(Errno::INPROGRESS));
        socket
    }
}

/// Sets an integer option to 1.
pub(crate) fn enable_option(socket: impl AsFd, level: i32, option: i32) {
    let (on, len) = (1_i32, size_of::<i32>() as libc::socklen_t);
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: the option is an int, and outlives the call.
    let result = unsafe { libc::setsockopt(socket, level, option, (&raw const on).cast(), len) };
    assert_eq!(result, 0, "option {option} of level {level}: {}", io::Error::last_os_error());
}

/// Makes close send a RST.
pub(crate) fn reset_on_close(socket: impl AsFd) {
    sockopt::set_socket_linger(socket, Some(Duration::ZERO)).expect("cannot set SO_LINGER");
}
