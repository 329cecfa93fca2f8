//! Socket operations that `std::net` lacks: options, a chosen local address, a non-blocking connect.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::{AsFd, AsRawFd as _, OwnedFd},
    thread,
    time::{Duration, Instant},
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

/// States in the kernel's socket table (include/net/tcp_states.h).
pub(crate) const TIME_WAIT: &str = "06";
const FIN_WAIT1: &str = "04";
const LAST_ACK: &str = "09";
const CLOSING: &str = "0B";

/// The states of all IPv4 sockets with this remote port, from the kernel's socket table.
pub(crate) fn states(port: u16) -> Vec<String> {
    let port = hexadecimal(port);
    rows("/proc/net/tcp").filter(|row| row.remote.ends_with(&port)).map(|row| row.state).collect()
}

/// How long to wait for a FIN. Some tests end with one that nobody will acknowledge.
const FIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Waits until no FIN to or from these ports is on its way. A busy kernel delivers one some time after `close()` has
/// returned, also on loopback, and only then are both sockets closed.
pub(crate) fn await_fins(ports: &[u16]) {
    let ports: Vec<String> = ports.iter().copied().map(hexadecimal).collect();
    let is_in_flight = |row: Row| {
        [FIN_WAIT1, LAST_ACK, CLOSING].contains(&row.state.as_str())
            && ports.iter().any(|port| row.local.ends_with(port) || row.remote.ends_with(port))
    };
    // The second table is missing where IPv6 is.
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().filter(|table| fs::exists(table).is_ok_and(|is| is));
    let end = Instant::now() + FIN_TIMEOUT;
    while tables.clone().flat_map(rows).any(is_in_flight) && Instant::now() < end {
        thread::sleep(Duration::from_millis(5));
    }
}

/// A socket in the kernel's table.
struct Row {
    local: String,
    remote: String,
    state: String,
}

fn rows(table: &str) -> impl Iterator<Item = Row> + use<> {
    let table = fs::read_to_string(table).expect("the kernel lists sockets");
    let row = |line: &str| {
        let mut words = line.split_whitespace().skip(1).map(str::to_owned);
        Some(Row { local: words.next()?, remote: words.next()?, state: words.next()? })
    };
    // The first line names the columns.
    table.lines().skip(1).filter_map(row).collect::<Vec<_>>().into_iter()
}

/// How an address in the table ends.
fn hexadecimal(port: u16) -> String {
    format!(":{port:04X}")
}
