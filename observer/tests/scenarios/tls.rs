//! Connections in the shape of TLS: the records' heads and sizes are right, what is in them is not. A handshake is no
//! exchange; what is behind it counts.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
};

use anyhow::Result;

use crate::{
    expected::{Close, Expected},
    peer::{Peer, Truth},
    scenario::Scenario,
};

/// Types of records (RFC 8446, section 5.1).
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;

const TLS: Close = Close { protocol: "tls", ..Close::USUAL };

pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "TLS 1.3",
        act: tls13,
        expected: Expected { failures: &[], closes: &[(1, Close { exchanges: 3, ..TLS })] },
    },
    Scenario {
        name: "TLS 1.2",
        act: tls12,
        expected: Expected { failures: &[], closes: &[(1, Close { exchanges: 3, ..TLS })] },
    },
    Scenario {
        name: "a TLS handshake that the client refuses",
        act: refused,
        expected: Expected { failures: &[], closes: &[(1, Close { exchanges: 0, ..TLS })] },
    },
];

fn tls13() -> Result<Truth> {
    let peer = Peer::new(|mut stream| {
        read_records(&mut stream, 1)?;
        stream.write_all(&[record(HANDSHAKE, 122), record(CHANGE_CIPHER_SPEC, 1), record(DATA, 2500)].concat())?;
        read_records(&mut stream, 2)?;
        // Tickets, which nobody has asked for.
        stream.write_all(&[record(DATA, 250), record(DATA, 250)].concat())?;
        serve(stream)
    })?;
    let mut stream = peer.connect()?;
    stream.write_all(&client_hello())?;
    read_records(&mut stream, 3)?;
    // Change cipher spec and Finished, 64 bytes.
    stream.write_all(&[record(CHANGE_CIPHER_SPEC, 1), record(DATA, 53)].concat())?;
    read_records(&mut stream, 2)?;
    use_and_close(stream)?;
    peer.truth(1)
}

fn tls12() -> Result<Truth> {
    let peer = Peer::new(|mut stream| {
        read_records(&mut stream, 1)?;
        stream.write_all(&[record(HANDSHAKE, 61), record(HANDSHAKE, 2500), record(HANDSHAKE, 4)].concat())?;
        read_records(&mut stream, 3)?;
        stream.write_all(&[record(CHANGE_CIPHER_SPEC, 1), record(HANDSHAKE, 40)].concat())?;
        serve(stream)
    })?;
    let mut stream = peer.connect()?;
    stream.write_all(&client_hello())?;
    read_records(&mut stream, 3)?;
    stream.write_all(&[record(HANDSHAKE, 37), record(CHANGE_CIPHER_SPEC, 1), record(HANDSHAKE, 40)].concat())?;
    read_records(&mut stream, 2)?;
    use_and_close(stream)?;
    peer.truth(1)
}

/// The certificate does not please the client, which says so and goes.
fn refused() -> Result<Truth> {
    let peer = Peer::new(|mut stream| {
        read_records(&mut stream, 1)?;
        stream.write_all(&[record(HANDSHAKE, 122), record(CHANGE_CIPHER_SPEC, 1), record(DATA, 2500)].concat())?;
        serve(stream)
    })?;
    let mut stream = peer.connect()?;
    stream.write_all(&client_hello())?;
    read_records(&mut stream, 3)?;
    stream.write_all(&record(ALERT, 2))?;
    drop(stream);
    peer.truth(1)
}

/// 517 bytes, as most clients pad it to.
fn client_hello() -> Vec<u8> {
    let mut hello = record(HANDSHAKE, 512);
    hello[2] = 1;
    hello
}

/// A record with a body of so many bytes.
fn record(kind: u8, bytes: u16) -> Vec<u8> {
    let [high, low] = bytes.to_be_bytes();
    let mut record = vec![kind, 3, 3, high, low];
    record.resize(record.len() + usize::from(bytes), 0);
    record
}

fn read_record(stream: &mut TcpStream) -> io::Result<u8> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    stream.read_exact(&mut vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))])?;
    Ok(head[0])
}

fn read_records(stream: &mut TcpStream, records: usize) -> io::Result<()> {
    (0..records).try_for_each(|_| read_record(stream).map(drop))
}

/// Three requests with their answers, and the alert of a close in order.
fn use_and_close(mut stream: TcpStream) -> Result<()> {
    for _ in 0..3 {
        stream.write_all(&record(DATA, 200))?;
        read_records(&mut stream, 2)?;
    }
    stream.write_all(&record(ALERT, 26))?;
    Ok(())
}

/// Answers each record of data with two, until the client is gone.
fn serve(mut stream: TcpStream) -> io::Result<u64> {
    let mut served = 0;
    while let Ok(kind) = read_record(&mut stream) {
        if kind == DATA {
            stream.write_all(&[record(DATA, 100), record(DATA, 1000)].concat())?;
            served += 1;
        }
    }
    Ok(served)
}
