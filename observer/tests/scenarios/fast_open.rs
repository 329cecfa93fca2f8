//! TCP Fast Open: the first request is sent with the SYN (RFC 7413).

use std::{fs, io::Read as _, net::TcpStream};

use anyhow::{Context as _, Result, ensure};
use rustix::net::{SendFlags, sendto};

use crate::{
    expected::Close,
    machine,
    messages::{ask, request_for, serve},
    peer::{Peer, Truth},
    scenario::Scenario,
    sockets::socket,
};

/// `MSG_FASTOPEN` (include/linux/socket.h).
const CONNECT: SendFlags = SendFlags::from_bits_retain(0x2000_0000);

pub(crate) const ALL: &[Scenario] =
    &[Scenario::new("Fast Open", with_the_syn, &[(1, Close { exchanges: 3, is_seen_in_syn: true, ..Close::TYPICAL })])];

fn with_the_syn() -> Result<Truth> {
    let before = accepted_fast_opens()?;
    let setting = machine::allow_fast_open()?;
    let peer = Peer::new(serve)?;
    let socket = socket()?;
    let request = request_for(100);
    let sent = sendto(&socket, request.as_bytes(), CONNECT, &peer.address).context("cannot send with the SYN")?;
    ensure!(sent == request.len(), "only {sent} bytes were sent with the SYN");
    drop(setting);
    let mut stream = TcpStream::from(socket);
    stream.read_exact(&mut [0; 100])?;
    ensure!(accepted_fast_opens()? > before, "the request was sent after the handshake");
    for _ in 0..2 {
        ask(&mut stream, 100)?;
    }
    drop(stream);
    peer.truth(1)
}

/// How often a listener has accepted data with a SYN.
fn accepted_fast_opens() -> Result<u64> {
    let netstat = fs::read_to_string("/proc/net/netstat")?;
    let mut lines = netstat.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let column = names.split_whitespace().position(|name| name == "TCPFastOpenPassive");
    let value = column
        .and_then(|column| values.split_whitespace().nth(column))
        .context("/proc/net/netstat has no TCPFastOpenPassive")?;
    Ok(value.parse()?)
}
