//! TLS records: their types, their real lengths, and a reader that reads them as OpenSSL does.

use std::{
    io::{self, Read as _},
    net::TcpStream,
};

/// Record types (RFC 8446, section 5.1).
pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const DATA: u8 = 23;

/// How much longer an encrypted record is than its content: tag and type in TLS 1.3; tag and nonce (GCM) or the tag alone
/// (ChaCha20) in TLS 1.2.
const OVERHEAD13: usize = 17;
const OVERHEAD12: usize = 24;
const OVERHEAD_CHACHA: usize = 16;
/// Zeros that Java appends to application data and alerts in TLS 1.3.
const PADDING: usize = 16;

pub(super) fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let [high, low] = (body.len() as u16).to_be_bytes();
    [&[kind, 3, 3, high, low], body].concat()
}

/// A record with this many bytes of zeros behind its header.
pub(super) fn filled(kind: u8, bytes: usize) -> Vec<u8> {
    record(kind, &vec![0; bytes])
}

pub(super) fn change_cipher_spec() -> Vec<u8> {
    record(CHANGE_CIPHER_SPEC, &[1])
}

/// This many bytes encrypted by TLS 1.3: application data, a handshake message or an alert.
pub(super) fn data(bytes: usize) -> Vec<u8> {
    filled(DATA, bytes + OVERHEAD13)
}

/// The same, padded as Java does.
pub(super) fn padded(bytes: usize) -> Vec<u8> {
    data(bytes + PADDING)
}

/// Application data encrypted by TLS 1.2.
pub(super) fn data12(bytes: usize) -> Vec<u8> {
    filled(DATA, bytes + OVERHEAD12)
}

/// Application data encrypted by TLS 1.2 with ChaCha20.
pub(super) fn data_chacha(bytes: usize) -> Vec<u8> {
    filled(DATA, bytes + OVERHEAD_CHACHA)
}

pub(super) fn finished_chacha() -> Vec<u8> {
    filled(HANDSHAKE, 16 + OVERHEAD_CHACHA)
}

/// An encrypted close_notify alert of TLS 1.2.
pub(super) fn close_notify12() -> Vec<u8> {
    filled(ALERT, 2 + OVERHEAD12)
}

/// An encrypted Finished of TLS 1.2.
pub(super) fn finished12() -> Vec<u8> {
    filled(HANDSHAKE, 16 + OVERHEAD12)
}

/// A Finished of TLS 1.3 with a hash of 32 bytes: a record of 53 bytes.
pub(super) fn finished() -> Vec<u8> {
    data(4 + 32)
}

/// A close_notify alert of TLS 1.3: 24 bytes with the header.
pub(super) fn close_notify() -> Vec<u8> {
    data(2)
}

/// Reads record by record: first the header, then the body.
pub(super) fn read_by_record(stream: &mut TcpStream, bytes: usize) -> io::Result<()> {
    let mut left = bytes;
    while left > 0 {
        let mut head = [0; 5];
        stream.read_exact(&mut head)?;
        let body = usize::from(u16::from_be_bytes([head[3], head[4]]));
        stream.read_exact(&mut vec![0; body])?;
        left = left.checked_sub(5 + body).ok_or_else(|| io::Error::other("a record is longer than the script"))?;
    }
    Ok(())
}
