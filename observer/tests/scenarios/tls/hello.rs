//! A `ClientHello` as clients send it (RFC 8446, section 4.1.2). Its structure is complete; only keys and random numbers
//! are zeros.

use super::records::{HANDSHAKE, record};

/// Extension types.
const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const PADDING: u16 = 21;
const EXTENDED_MASTER_SECRET: u16 = 23;
const SUPPORTED_VERSIONS: u16 = 43;
const PSK_KEY_EXCHANGE_MODES: u16 = 45;
const KEY_SHARE: u16 = 51;

/// Many clients pad it to this length (RFC 7685), record header included.
const BYTES: usize = 517;

/// The parts in which clients differ.
#[derive(Clone, Copy)]
pub(super) struct Hello {
    /// Protocols offered by ALPN.
    pub(super) protocols: &'static [&'static str],
    /// The server may send tickets (TLS 1.3).
    pub(super) takes_tickets: bool,
    /// Carries a session id as in TLS 1.2, which makes the server send `ChangeCipherSpec` for middlebox compatibility.
    pub(super) has_session: bool,
}

impl Hello {
    pub(super) const TYPICAL: Self = Self { protocols: &[], takes_tickets: true, has_session: true };

    /// The record that carries it.
    pub(super) fn bytes(self) -> Vec<u8> {
        let session = vec![0; if self.has_session { 32 } else { 0 }];
        let ciphers = [0x13, 0x01, 0x13, 0x02, 0x13, 0x03, 0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x30];
        let mut body =
            [vec![3, 3], vec![0; 32], prefixed_u8(&session), prefixed_u16(&ciphers), prefixed_u8(&[0])].concat();
        // The fixed numbers are the headers of the record, the message, the extension list and the padding.
        let padding = BYTES - (5 + 4 + body.len() + 2 + self.extensions().len() + 4);
        body.extend(prefixed_u16(&[self.extensions(), extension(PADDING, &vec![0; padding])].concat()));
        let [_, high, middle, low] = (body.len() as u32).to_be_bytes();
        let mut hello = record(HANDSHAKE, &[vec![1, high, middle, low], body].concat());
        // The first record of a connection has version TLS 1.0.
        hello[2] = 1;
        hello
    }

    fn extensions(self) -> Vec<u8> {
        let name = prefixed_u16(&[vec![0], prefixed_u16(b"localhost")].concat());
        let key = [vec![0, 29], prefixed_u16(&[0; 32])].concat();
        let mut all = vec![
            extension(SERVER_NAME, &name),
            extension(EXTENDED_MASTER_SECRET, &[]),
            extension(SUPPORTED_GROUPS, &prefixed_u16(&[0, 29, 0, 23, 0, 24])),
            extension(SIGNATURE_ALGORITHMS, &prefixed_u16(&[4, 3, 8, 4, 4, 1])),
            extension(SUPPORTED_VERSIONS, &prefixed_u8(&[3, 4, 3, 3])),
            extension(KEY_SHARE, &prefixed_u16(&key)),
        ];
        if !self.protocols.is_empty() {
            let names: Vec<u8> = self.protocols.iter().flat_map(|name| prefixed_u8(name.as_bytes())).collect();
            all.push(extension(ALPN, &prefixed_u16(&names)));
        }
        if self.takes_tickets {
            all.push(extension(PSK_KEY_EXCHANGE_MODES, &prefixed_u8(&[1])));
        }
        all.concat()
    }
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().to_vec(), prefixed_u16(body)].concat()
}

/// The body, prefixed with its length in one byte.
fn prefixed_u8(body: &[u8]) -> Vec<u8> {
    [&[body.len() as u8], body].concat()
}

/// The body, prefixed with its length in two bytes.
fn prefixed_u16(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u16).to_be_bytes(), body].concat()
}
