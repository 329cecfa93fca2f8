//! Records of TLS: what they are called, how long real ones are, and how OpenSSL reads them.

use std::{
    io::{self, Read as _},
    net::TcpStream,
};

/// Types of records (RFC 8446, section 5.1).
pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const DATA: u8 = 23;

/// By how much an encrypted record is longer than what is in it: TLS 1.3's tag and type; TLS 1.2's tag and nonce (GCM),
/// or tag alone (ChaCha20).
const OVERHEAD13: usize = 17;
const OVERHEAD12: usize = 24;
const OVERHEAD_CHACHA: usize = 16;
/// Java fills its records of data and its alerts in TLS 1.3 with as many zeros.
const PADDING: usize = 16;

pub(super) fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let [high, low] = (body.len() as u16).to_be_bytes();
    [&[kind, 3, 3, high, low], body].concat()
}

/// A record of so many bytes, without the header.
pub(super) fn filled(kind: u8, bytes: usize) -> Vec<u8> {
    record(kind, &vec![0; bytes])
}

pub(super) fn change_cipher_spec() -> Vec<u8> {
    record(CHANGE_CIPHER_SPEC, &[1])
}

/// Something of so many bytes, encrypted by TLS 1.3: data, a message of the handshake, an alert.
pub(super) fn data(bytes: usize) -> Vec<u8> {
    filled(DATA, bytes + OVERHEAD13)
}

/// The same as Java has it.
pub(super) fn padded(bytes: usize) -> Vec<u8> {
    data(bytes + PADDING)
}

/// Data encrypted by TLS 1.2.
pub(super) fn data12(bytes: usize) -> Vec<u8> {
    filled(DATA, bytes + OVERHEAD12)
}

/// Data encrypted by TLS 1.2 with ChaCha20.
pub(super) fn data_chacha(bytes: usize) -> Vec<u8> {
    filled(DATA, bytes + OVERHEAD_CHACHA)
}

pub(super) fn finished_chacha() -> Vec<u8> {
    filled(HANDSHAKE, 16 + OVERHEAD_CHACHA)
}

/// TLS 1.2's alert of a close in order.
pub(super) fn goodbye12() -> Vec<u8> {
    filled(ALERT, 2 + OVERHEAD12)
}

/// TLS 1.2's encrypted Finished.
pub(super) fn finished12() -> Vec<u8> {
    filled(HANDSHAKE, 16 + OVERHEAD12)
}

/// TLS 1.3's Finished, with a hash of 32 bytes: a record of 53.
pub(super) fn finished() -> Vec<u8> {
    data(4 + 32)
}

/// TLS 1.3's alert of a close in order: 24 bytes with the header.
pub(super) fn goodbye() -> Vec<u8> {
    data(2)
}

/// Reads record by record: a header, and then what is behind it.
pub(super) fn by_record(stream: &mut TcpStream, bytes: usize) -> io::Result<()> {
    let mut left = bytes;
    while left > 0 {
        let mut head = [0; 5];
        stream.read_exact(&mut head)?;
        let body = usize::from(u16::from_be_bytes([head[3], head[4]]));
        stream.read_exact(&mut vec![0; body])?;
        left = left.checked_sub(5 + body).ok_or_else(|| io::Error::other("a record is not whole"))?;
    }
    Ok(())
}
