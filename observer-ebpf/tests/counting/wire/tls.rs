//! Records of TLS, and the client's handshake.

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

/// A message of the handshake, in the clear.
fn message(kind: u8, bytes: usize) -> Vec<u8> {
    let len = u32::try_from(bytes).unwrap().to_be_bytes();
    record(HANDSHAKE, &[&[kind, len[1], len[2], len[3]], vec![7; bytes].as_slice()].concat())
}

/// A hello that offers these protocols, and takes tickets of TLS 1.3.
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

/// How the records of a connection are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cipher {
    Gcm12,
    ChaCha12,
    /// SHA-256, or SHA-384.
    Tls13,
    Tls13Sha384,
    /// TLS 1.3 by Java, with 16 zeros in each record of data.
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

    /// A record with so much in it. What it looks like, nobody can foresee.
    pub(crate) fn data(self, bytes: usize) -> Vec<u8> {
        record(DATA, &vec![0xe7; bytes + self.overhead()])
    }

    /// The goodbye.
    pub(crate) fn alert(self) -> Vec<u8> {
        record(if self.is_tls13() { DATA } else { ALERT }, &vec![0xe7; 2 + self.overhead()])
    }

    /// The server's, which pads nothing.
    pub(crate) fn answered_alert(self) -> Vec<u8> {
        if self.is_tls13() { self.answer(2) } else { self.alert() }
    }

    pub(crate) fn key_update(self) -> Vec<u8> {
        self.data(5)
    }

    /// What the server sends, of which so much is in it. It pads nothing.
    pub(crate) fn answer(self, bytes: usize) -> Vec<u8> {
        record(DATA, &vec![0xe7; bytes + if self.is_tls13() { 17 } else { self.overhead() }])
    }
}

/// A client's handshake.
#[derive(Clone, Debug)]
pub(crate) struct Handshake {
    pub(crate) cipher: Cipher,
    pub(crate) offers: &'static [&'static [u8]],
    /// A certificate of the client's, of so many bytes.
    certificate: Option<usize>,
    /// The server wants another hello (TLS 1.3).
    is_retried: bool,
    /// A session is resumed (TLS 1.2): the server finishes first.
    is_resumed: bool,
    flights: Flights,
}

/// How the records of a flight are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flights {
    Together,
    /// Each by itself.
    ByRecord,
    /// With all that the client says encrypted in one record (TLS 1.3, with a certificate).
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
                // Java's change cipher spec comes by itself, and only then.
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

    /// Whether it has ended cannot be told where nothing is read behind it; nor, where Finished comes by itself, whether what is
    /// read answers it.
    pub(crate) fn may_be_marked(&self) -> bool {
        self.cipher.is_tls13() && self.certificate.is_some() && self.flights != Flights::Together
    }

    pub(crate) fn offers_http(&self) -> bool {
        !self.offers.is_empty()
    }

    /// What is sent, in turns, and what is answered: the client has the last word, but where it resumes a session of
    /// TLS 1.2.
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
            // Encrypted, as is what verifies it.
            certificate = [self.cipher.data(certificate.len()), self.cipher.data(280)].concat();
        }
        // By itself it would make it look like Java, and a request of 18 bytes like a goodbye (docs/COUNTING.md).
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

    /// Encrypted: it may begin as a hello does.
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

/// Sends, and how many bytes answer them.
pub(crate) struct Flight {
    pub(crate) sends: Vec<Vec<u8>>,
    pub(crate) answer: usize,
}

impl Flight {
    fn said(bytes: Vec<u8>, answer: usize) -> Self {
        Self { sends: vec![bytes], answer }
    }
}

/// Lengths of the records of a message that is not shorter than `least`.
pub(crate) fn records(least: usize) -> impl Strategy<Value = Vec<usize>> {
    (least..400_usize, vec(1..3000_usize, 0..3)).prop_map(|(first, more)| [vec![first], more].concat())
}
