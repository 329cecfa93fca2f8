//! What `std::net` cannot do with a socket: options, a chosen local address, a connect that is tried again.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::{AsFd, AsRawFd as _, OwnedFd},
    time::Duration,
};

use rustix::{
    io::{Errno, Result, ioctl_fionbio},
    net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, listen, socket_with, sockopt},
};

/// A TCP socket over IPv4 that does nothing yet.
pub(crate) fn socket() -> OwnedFd {
    of_family(AddressFamily::INET)
}

pub(crate) fn of_family(family: AddressFamily) -> OwnedFd {
    socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None).expect("a socket can be made")
}

pub(crate) fn connect(socket: impl AsFd, address: SocketAddr) -> Result<()> {
    rustix::net::connect(socket, &address)
}

pub(crate) fn local_address(socket: impl AsFd) -> SocketAddr {
    getsockname(socket).expect("it is bound").try_into().expect("it has an address of the internet")
}

/// A socket at this address, which others may share.
pub(crate) fn bound(address: SocketAddr) -> OwnedFd {
    let socket = socket();
    sockopt::set_socket_reuseaddr(&socket, true).expect("an address can be shared");
    bind(&socket, &address).unwrap_or_else(|error| panic!("cannot bind to {address}: {error}"));
    socket
}

/// A port of loopback at which nobody listens, until [`Closed::open`] does.
pub(crate) struct Closed {
    socket: OwnedFd,
    pub(crate) address: SocketAddr,
}

impl Closed {
    pub(crate) fn new() -> Self {
        let socket = bound(SocketAddr::from(([127, 0, 0, 1], 0)));
        let address = local_address(&socket);
        Self { socket, address }
    }

    pub(crate) fn open(self) -> TcpListener {
        listen(&self.socket, 16).expect("it can listen");
        TcpListener::from(self.socket)
    }
}

/// A listener that accepts nothing, and whose queue is full: further connects stay without an answer.
pub(crate) struct Silent {
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
    pub(crate) address: SocketAddr,
}

impl Silent {
    pub(crate) fn new() -> Self {
        let socket = bound(SocketAddr::from(([127, 0, 0, 1], 0)));
        // The queue takes one more than its length (`sk_acceptq_is_full()`, include/net/sock.h).
        listen(&socket, 0).expect("it can listen");
        let address = local_address(&socket);
        let queued = TcpStream::connect(address).expect("the queue has room for one");
        Self { _listener: TcpListener::from(socket), _queued: vec![queued], address }
    }

    /// A socket whose connect to it has begun, and waits.
    pub(crate) fn begin_connect(&self) -> OwnedFd {
        let socket = socket();
        ioctl_fionbio(&socket, true).expect("it can be asked not to wait");
        assert_eq!(connect(&socket, self.address), Err(Errno::INPROGRESS));
        socket
    }
}

/// Sets an option that is an int to 1.
pub(crate) fn turn_on(socket: impl AsFd, level: i32, option: i32) {
    let (on, len) = (1_i32, size_of::<i32>() as libc::socklen_t);
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: the option is an int, which lives through the call.
    let result = unsafe { libc::setsockopt(socket, level, option, (&raw const on).cast(), len) };
    assert_eq!(result, 0, "option {option} of level {level}: {}", io::Error::last_os_error());
}

/// Makes close send a reset.
pub(crate) fn reset_on_close(socket: impl AsFd) {
    sockopt::set_socket_linger(socket, Some(Duration::ZERO)).expect("linger can be set");
}

/// As the kernel lists it.
pub(crate) const TIME_WAIT: &str = "06";

/// The states of all sockets over IPv4 whose remote port this is, by the kernel's own list.
pub(crate) fn states(port: u16) -> Vec<String> {
    let table = fs::read_to_string("/proc/net/tcp").expect("the kernel lists sockets");
    let remote = format!(":{port:04X}");
    let state = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        matches!(words[..], [_, _, to, ..] if to.ends_with(&remote)).then(|| words[3].to_string())
    };
    table.lines().filter_map(state).collect()
}
