//! A `ClientHello` as clients send it (RFC 8446, section 4.1.2): all of its structure is right, only keys and random
//! numbers are zeros.

use super::records::{HANDSHAKE, record};

/// Types of extensions.
const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const PADDING: u16 = 21;
const EXTENDED_MASTER_SECRET: u16 = 23;
const SUPPORTED_VERSIONS: u16 = 43;
const PSK_KEY_EXCHANGE_MODES: u16 = 45;
const KEY_SHARE: u16 = 51;

/// Many clients pad it to this (RFC 7685), with the header of its record.
const BYTES: usize = 517;

/// What clients differ in.
#[derive(Clone, Copy)]
pub(super) struct Hello {
    /// What may be spoken
    pub(super) protocols: &'static [&'static str],
    /// The server may send tickets (TLS 1.3)
    pub(super) takes_tickets: bool,
    /// With the id of a session, as TLS 1.2 has one. It makes the server change the cipher, for the sake of middleboxes.
    pub(super) has_session: bool,
}

impl Hello {
    pub(super) const USUAL: Self = Self { protocols: &[], takes_tickets: true, has_session: true };

    /// Its record.
    pub(super) fn bytes(self) -> Vec<u8> {
        let session = vec![0; if self.has_session { 32 } else { 0 }];
        let ciphers = [0x13, 0x01, 0x13, 0x02, 0x13, 0x03, 0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x30];
        let mut body = [vec![3, 3], vec![0; 32], behind_u8(&session), behind_u16(&ciphers), behind_u8(&[0])].concat();
        // The headers of record, message, list and padding.
        let padding = BYTES - (5 + 4 + body.len() + 2 + self.extensions().len() + 4);
        body.extend(behind_u16(&[self.extensions(), extension(PADDING, &vec![0; padding])].concat()));
        let [_, high, middle, low] = (body.len() as u32).to_be_bytes();
        let mut hello = record(HANDSHAKE, &[vec![1, high, middle, low], body].concat());
        // TLS 1.0, as the first record of a connection has it.
        hello[2] = 1;
        hello
    }

    fn extensions(self) -> Vec<u8> {
        let name = behind_u16(&[vec![0], behind_u16(b"localhost")].concat());
        let key = [vec![0, 29], behind_u16(&[0; 32])].concat();
        let mut all = vec![
            extension(SERVER_NAME, &name),
            extension(EXTENDED_MASTER_SECRET, &[]),
            extension(SUPPORTED_GROUPS, &behind_u16(&[0, 29, 0, 23, 0, 24])),
            extension(SIGNATURE_ALGORITHMS, &behind_u16(&[4, 3, 8, 4, 4, 1])),
            extension(SUPPORTED_VERSIONS, &behind_u8(&[3, 4, 3, 3])),
            extension(KEY_SHARE, &behind_u16(&key)),
        ];
        if !self.protocols.is_empty() {
            let names: Vec<u8> = self.protocols.iter().flat_map(|name| behind_u8(name.as_bytes())).collect();
            all.push(extension(ALPN, &behind_u16(&names)));
        }
        if self.takes_tickets {
            all.push(extension(PSK_KEY_EXCHANGE_MODES, &behind_u8(&[1])));
        }
        all.concat()
    }
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().to_vec(), behind_u16(body)].concat()
}

/// Behind its length, in one byte.
fn behind_u8(body: &[u8]) -> Vec<u8> {
    [&[body.len() as u8], body].concat()
}

/// Behind its length, in two bytes.
fn behind_u16(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u16).to_be_bytes(), body].concat()
}
