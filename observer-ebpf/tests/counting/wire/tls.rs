//! TLS records, and the client's handshake.

use proptest::{collection::vec, prelude::*};

pub(crate) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(crate) const ALERT: u8 = 21;
pub(crate) const HANDSHAKE: u8 = 22;
pub(crate) const DATA: u8 = 23;

pub(crate) fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, 3, 3, len[0], len[1]], body].concat()
}

fn change_cipher_spec() -> Vec<u8> {
    record(CHANGE_CIPHER_SPEC, &[1])
}

/// A handshake message in the clear.
fn message(kind: u8, bytes: usize) -> Vec<u8> {
    let len = u32::try_from(bytes).unwrap().to_be_bytes();
    record(HANDSHAKE, &[&[kind, len[1], len[2], len[3]], vec![7; bytes].as_slice()].concat())
}

/// A hello that offers these protocols and takes TLS 1.3 tickets.
pub(crate) fn hello(names: &[&[u8]], takes_tickets: bool) -> Vec<u8> {
    let list: Vec<u8> = names.iter().flat_map(|name| [&[name.len() as u8], *name].concat()).collect();
    let mut extensions = extension(0, &[0; 20]);
    if !names.is_empty() {
        extensions.extend(extension(16, &with_len(&list)));
    }
    if takes_tickets {
        extensions.extend(extension(45, &[1, 1]));
    }
    let body = [
        vec![3, 3],
        vec![7; 32],
        [vec![32], vec![9; 32]].concat(),
        with_len(&[0x13; 34]),
        vec![1, 0],
        with_len(&extensions),
    ]
    .concat();
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    record(HANDSHAKE, &[&[1, len[1], len[2], len[3]], body.as_slice()].concat())
}

fn extension(kind: u8, body: &[u8]) -> Vec<u8> {
    [vec![0, kind], with_len(body)].concat()
}

fn with_len(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// How a connection's records are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cipher {
    Gcm12,
    ChaCha12,
    /// SHA-256 or SHA-384.
    Tls13,
    Tls13Sha384,
    /// TLS 1.3 by Java, with 16 zeros in each data record.
    Java13,
}

impl Cipher {
    pub(crate) fn is_tls13(self) -> bool {
        !matches!(self, Self::Gcm12 | Self::ChaCha12)
    }

    fn overhead(self) -> usize {
        match self {
            Self::Gcm12 => 24,
            Self::ChaCha12 => 16,
            Self::Tls13 | Self::Tls13Sha384 => 17,
            Self::Java13 => 33,
        }
    }

    /// A data record with this much content, encrypted.
    pub(crate) fn data(self, bytes: usize) -> Vec<u8> {
        record(DATA, &vec![0xe7; bytes + self.overhead()])
    }

    /// The client's goodbye.
    pub(crate) fn alert(self) -> Vec<u8> {
        record(if self.is_tls13() { DATA } else { ALERT }, &vec![0xe7; 2 + self.overhead()])
    }

    /// The server's goodbye, without padding.
    pub(crate) fn answered_alert(self) -> Vec<u8> {
        if self.is_tls13() { self.answer(2) } else { self.alert() }
    }

    pub(crate) fn key_update(self) -> Vec<u8> {
        self.data(5)
    }

    /// A data record from the server with this much content, without padding.
    pub(crate) fn answer(self, bytes: usize) -> Vec<u8> {
        record(DATA, &vec![0xe7; bytes + if self.is_tls13() { 17 } else { self.overhead() }])
    }
}

/// A client's handshake.
#[derive(Clone, Debug)]
pub(crate) struct Handshake {
    pub(crate) cipher: Cipher,
    pub(crate) offers: &'static [&'static [u8]],
    /// Size of the client's certificate.
    certificate: Option<usize>,
    /// The server requests another hello (TLS 1.3).
    is_retried: bool,
    /// The session is resumed (TLS 1.2), so the server finishes first.
    is_resumed: bool,
    flights: Flights,
}

/// How the records of a flight are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flights {
    Together,
    /// Each in a send of its own.
    ByRecord,
    /// All encrypted messages in one record (TLS 1.3 with a certificate).
    Packed,
}

impl Handshake {
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        use Cipher::{ChaCha12, Gcm12, Java13, Tls13, Tls13Sha384};
        Self::of(&[Gcm12, ChaCha12, Tls13, Tls13Sha384, Java13])
    }

    pub(crate) fn of(ciphers: &'static [Cipher]) -> impl Strategy<Value = Self> {
        let cipher = prop::sample::select(ciphers);
        let offers: &[&[&[u8]]] = &[&[], &[b"http/1.1"], &[b"h2", b"http/1.1"]];
        let flights = prop::sample::select(&[Flights::Together, Flights::ByRecord, Flights::Packed]);
        let certificate = prop_oneof![2 => Just(None), 1 => (300..3000_usize).prop_map(Some)];
        (cipher, prop::sample::select(offers), certificate, any::<[bool; 2]>(), flights).prop_map(
            |(cipher, offers, certificate, [is_retried, is_resumed], flights)| Self {
                cipher,
                offers,
                certificate,
                // Java sends its change cipher spec separately, and only then.
                is_retried: is_retried && cipher.is_tls13() && cipher != Cipher::Java13,
                is_resumed: is_resumed && !cipher.is_tls13(),
                flights: match flights {
                    _ if cipher == Cipher::Java13 => Flights::Together,
                    Flights::Packed if !cipher.is_tls13() || certificate.is_none() => Flights::Together,
                    flights => flights,
                },
            },
        )
    }

    /// The handshake's end is ambiguous if nothing is read after it. If Finished is sent separately, it may be a
    /// request that the next read answers.
    pub(crate) fn may_be_marked(&self) -> bool {
        self.cipher.is_tls13() && self.certificate.is_some() && self.flights != Flights::Together
    }

    pub(crate) fn offers_http(&self) -> bool {
        !self.offers.is_empty()
    }

    /// The client's sends by turn, and their answers. The client sends last, unless it resumes a TLS 1.2 session.
    pub(crate) fn flights(&self) -> Vec<Flight> {
        let hello = hello(self.offers, self.cipher.is_tls13());
        let finish = [change_cipher_spec(), self.finished()].concat();
        let mut certificate = self.certificate.map(|bytes| message(11, bytes)).unwrap_or_default();
        let mut flights = Vec::new();
        if !self.cipher.is_tls13() {
            flights.push(Flight::said(hello, 2000));
            if self.is_resumed {
                flights.push(self.flight(&[finish], 0));
                return flights;
            }
            let key_exchange = message(16, 66);
            let verify = if certificate.is_empty() { Vec::new() } else { message(15, 260) };
            flights.push(self.flight(&[certificate, key_exchange, verify, change_cipher_spec(), self.finished()], 51));
            return flights;
        }
        if self.cipher == Cipher::Java13 {
            flights.push(Flight::said(hello, 2000));
            flights.push(Flight::said(change_cipher_spec(), 0));
            flights.push(Flight::said(self.finished(), 0));
            return flights;
        }
        if self.is_retried {
            flights.push(Flight::said(hello.clone(), 90));
            flights.push(self.flight(&[change_cipher_spec(), hello], 2000));
        } else {
            flights.push(Flight::said(hello, 2000));
        }
        if !certificate.is_empty() {
            // Encrypted, like its verification.
            certificate = [self.cipher.data(certificate.len()), self.cipher.data(280)].concat();
        }
        // Sent separately it would look like Java, and an 18-byte request would look like a goodbye (docs/COUNTING.md).
        let first = if self.is_retried { Vec::new() } else { change_cipher_spec() };
        if self.flights == Flights::Packed {
            let packed = self.cipher.data(self.certificate.unwrap_or_default() + 280 + 53);
            flights.push(self.flight(&[[first, packed].concat()], 0));
        } else if certificate.is_empty() {
            flights.push(self.flight(&[[first, self.finished()].concat()], 0));
        } else {
            flights.push(self.flight(&[[first, certificate].concat(), self.finished()], 0));
        }
        flights
    }

    /// Encrypted, so it may begin like a hello.
    fn finished(&self) -> Vec<u8> {
        match self.cipher {
            Cipher::Gcm12 => record(HANDSHAKE, &[1; 40]),
            Cipher::ChaCha12 => record(HANDSHAKE, &[1; 32]),
            Cipher::Tls13Sha384 => record(DATA, &[0xe7; 69]),
            Cipher::Tls13 | Cipher::Java13 => record(DATA, &[0xe7; 53]),
        }
    }

    fn flight(&self, records: &[Vec<u8>], answer: usize) -> Flight {
        let records: Vec<Vec<u8>> = records.iter().filter(|record| !record.is_empty()).cloned().collect();
        Flight { sends: if self.flights == Flights::ByRecord { records } else { vec![records.concat()] }, answer }
    }
}

/// Sends, and the length of their answer.
pub(crate) struct Flight {
    pub(crate) sends: Vec<Vec<u8>>,
    pub(crate) answer: usize,
}

impl Flight {
    fn said(bytes: Vec<u8>, answer: usize) -> Self {
        Self { sends: vec![bytes], answer }
    }
}

/// Record lengths of a message with a first record of at least `least` bytes.
pub(crate) fn records(least: usize) -> impl Strategy<Value = Vec<usize>> {
    (least..400_usize, vec(1..3000_usize, 0..3)).prop_map(|(first, more)| [vec![first], more].concat())
}
