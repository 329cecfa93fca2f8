//! Where metrics are served: a TCP port, or a Unix socket. It is bound before anything is attached, so a place in use is
//! reported first.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::net::UnixListener,
};

use rustix::io::Errno;
use tokio::net::{TcpStream, UnixStream};

use super::clients::Peer;

pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Must be called within a tokio runtime.
    pub(super) fn into_tokio(self) -> io::Result<AsyncListener> {
        match self {
            Self::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                tokio::net::TcpListener::from_std(listener).map(AsyncListener::Tcp)
            }
            Self::Unix(listener) => {
                listener.set_nonblocking(true)?;
                tokio::net::UnixListener::from_std(listener).map(AsyncListener::Unix)
            }
        }
    }
}

pub(super) enum AsyncListener {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl AsyncListener {
    /// Cancel-safe.
    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok((Stream::Tcp(stream), Peer::of(address.ip())))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let user = stream.peer_cred().ok().map(|credentials| credentials.uid());
                Ok((Stream::Unix(stream), Peer::User(user)))
            }
        }
    }
}

/// Binds the address. Every interface (`[::]`) means IPv4 only on a kernel without IPv6.
pub(super) fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let without_ipv6 = |error: &io::Error| {
        let errno = Errno::from_io_error(error);
        address.ip().is_unspecified() && matches!(errno, Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL))
    };
    match TcpListener::bind(address) {
        Err(error) if without_ipv6(&error) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())),
        bound => bound,
    }
}
