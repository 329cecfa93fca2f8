//! The rule against a model of it that knows what each send means: sends, arrivals, reads and handshakes in any order.

use std::{cell::Cell, ops::RangeInclusive};

use proptest::{collection::vec, prelude::*};
use tcp_reuse_watch_ebpf::{Application, Protocol};

use crate::{buffers::Sight, config, observed::Observed, wire::tls};

/// What an application, its peer or the kernel does.
#[derive(Clone, Debug)]
enum Act {
    Write(Kind, u16),
    /// Payload comes in.
    Arrive(u16),
    /// The application reads so much of what has come.
    Read(u32),
    /// A hook at which nothing has changed.
    Look,
}

/// What a write is, to one who knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Bytes of no protocol that is told apart.
    Bytes,
    /// An HTTP request; and more of one, or of something else that is none.
    Request,
    More,
    /// TLS 1.2, in its parts.
    Hello,
    KeyExchange,
    Finished,
    Data,
    Alert,
}

impl Kind {
    /// What is on the wire, of about `len` bytes.
    fn bytes(self, len: u16) -> Vec<u8> {
        let body = usize::from(len) + 1;
        match self {
            Self::Bytes => vec![b'.'; body],
            Self::Request => [b"GET / HTTP/1.1\r\n".to_vec(), vec![b'x'; body]].concat(),
            Self::More => vec![b'x'; body],
            Self::Hello => tls::hello(&[b"http/1.1"], false),
            Self::KeyExchange => tls::record(tls::HANDSHAKE, &[&[16, 0, 0], vec![0; 34].as_slice()].concat()),
            Self::Finished => {
                [tls::record(tls::CHANGE_CIPHER_SPEC, &[1]), tls::record(tls::HANDSHAKE, &[0; 40])].concat()
            }
            // Longer than any request may be short.
            Self::Data => tls::record(tls::DATA, &vec![0; body + 60]),
            Self::Alert => tls::record(tls::ALERT, &[0; 26]),
        }
    }

    /// Whether it asks, if nothing before it does.
    fn asks(self) -> bool {
        matches!(self, Self::Bytes | Self::Request | Self::Data)
    }
}

impl Observed {
    fn write(&mut self, bytes: &[u8], is_seen: bool) {
        if is_seen {
            self.sending(&[bytes], Sight::Seen);
        }
        self.written += bytes.len() as u64;
    }

    fn read(&mut self, bytes: u32, is_seen: bool) {
        let read = (self.received - self.consumed).min(bytes.into());
        self.consumed += read;
        if is_seen {
            self.received(Some(&vec![b'.'; read as usize]));
        }
    }
}

/// The rule in its own words.
#[derive(Default)]
struct Model {
    received: u64,
    consumed: u64,
    /// What had come when the question was asked that is not answered yet.
    asked_at: Option<u64>,
    exchanges: u64,
}

impl Model {
    fn act(&mut self, act: &Act) {
        match *act {
            Act::Write(kind, _) if kind.asks() && self.asked_at.is_none() => self.asked_at = Some(self.received),
            Act::Arrive(bytes) => self.received += u64::from(bytes),
            Act::Read(bytes) => {
                self.consumed += (self.received - self.consumed).min(bytes.into());
                if self.asked_at.is_some_and(|asked_at| self.consumed > asked_at) {
                    self.asked_at = None;
                    self.exchanges += 1;
                }
            }
            Act::Write(..) | Act::Look => {}
        }
    }
}

/// `reads`: how many bytes a read has room for.
fn acts(kinds: &'static [Kind], reads: RangeInclusive<u32>) -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => (prop::sample::select(kinds), 0..2000_u16).prop_map(|(kind, len)| Act::Write(kind, len)),
        // Not the size of "100 Continue" in TLS 1.2, which means something.
        3 => (100..3000_u16).prop_map(Act::Arrive),
        4 => reads.prop_map(Act::Read),
        1 => Just(Act::Look),
    ];
    vec(act, 0..120)
}

/// A new connection, or one that was there before.
pub(crate) fn beginnings() -> impl Strategy<Value = (u64, u64)> {
    prop_oneof![Just((0, 0)), resumptions()]
}

/// One that was there before, and has carried so much that 31 or 32 bits do not hold it.
pub(crate) fn resumptions() -> impl Strategy<Value = (u64, u64)> {
    let offset = || {
        prop_oneof![
            1..5000_u64,
            (0..5000_u64).prop_map(|less| (1 << 31) - less),
            (0..5000_u64).prop_map(|less| (1 << 32) - less),
            (0..5000_u64).prop_map(|more| (5 << 32) + more),
        ]
    };
    (offset(), offset())
}

pub(crate) fn begun(at: (u64, u64)) -> Observed {
    if at == (0, 0) { Observed::new() } else { Observed::resumed(at.0, at.1) }
}

/// Which hooks the kernel skips: a hook of sends, one of reads, and each how many of them.
#[derive(Clone, Copy)]
struct Skips {
    sends: bool,
    reads: bool,
    every: u64,
}

const NONE: Skips = Skips { sends: false, reads: false, every: 1 };

/// Runs the acts behind a beginning.
fn run(beginning: &[Act], acts: &[Act], mut observed: Observed, skips: Skips) -> (Observed, Model) {
    let mut model = Model::default();
    let turns = Cell::new(0_u64);
    let is_skipped = |may_be: bool| {
        turns.set(turns.get() + 1);
        may_be && turns.get().is_multiple_of(skips.every)
    };
    for act in beginning.iter().chain(acts) {
        let before = observed.exchanges;
        match act {
            Act::Write(kind, len) => observed.write(&kind.bytes(*len), !is_skipped(skips.sends)),
            Act::Arrive(bytes) => observed.received += u64::from(*bytes),
            Act::Read(bytes) => observed.read(*bytes, !is_skipped(skips.reads)),
            Act::Look => observed.look(),
        }
        assert!(observed.exchanges >= before, "exchanges are only added");
        model.act(act);
    }
    observed.look();
    (observed, model)
}

const PARTS: RangeInclusive<u32> = 1..=4000;
/// More than what comes at once.
const WHOLE: RangeInclusive<u32> = 1_000_000..=1_000_000;

const BYTES: &[Kind] = &[Kind::Bytes];
const HTTP: &[Kind] = &[Kind::Request, Kind::More];
const TLS: &[Kind] = &[Kind::Data, Kind::Data, Kind::Data, Kind::Alert];

/// A client's part of a handshake of TLS 1.2, and the server's.
fn handshake() -> Vec<Act> {
    vec![
        Act::Write(Kind::Hello, 0),
        Act::Arrive(2000),
        Act::Read(4000),
        Act::Write(Kind::KeyExchange, 0),
        Act::Write(Kind::Finished, 0),
        Act::Arrive(51),
        Act::Read(100),
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn bytes_are_counted_as_the_model_counts_them(acts in acts(BYTES, PARTS), at in beginnings()) {
        // What comes before anything was sent makes it a server that speaks first: see `a_greeting`.
        let question = [Act::Write(Kind::Bytes, 3)];
        let (observed, model) = run(&question, &acts, begun(at), NONE);
        prop_assert_eq!(observed.exchanges, model.exchanges);
        prop_assert_eq!(observed.is_marked(), model.exchanges > 0, "nobody knows what is spoken");
        prop_assert!(observed.is(Protocol::Plain));
        prop_assert_eq!(observed.application(), Application::Unknown);
    }

    #[test]
    fn http_is_counted_as_the_model_counts_it(acts in acts(HTTP, PARTS), at in beginnings()) {
        let request = [Act::Write(Kind::Request, 3)];
        let (observed, model) = run(&request, &acts, begun(at), NONE);
        prop_assert_eq!(observed.exchanges, model.exchanges);
        // A request before the answer to the last is told.
        prop_assert_eq!(observed.exact, !pipelines(&request, &acts));
        prop_assert_eq!(observed.application(), Application::Http1);
    }

    #[test]
    fn tls_is_counted_as_the_model_counts_it(acts in acts(TLS, WHOLE), at in beginnings()) {
        let (observed, model) = run(&handshake(), &acts, begun(at), NONE);
        prop_assert_eq!(observed.exchanges, model.exchanges);
        prop_assert!(observed.exact);
        prop_assert!(observed.is(Protocol::Tls));
    }

    /// Who asks again after the first bytes of an answer may have read no answer at all. That is marked, and counted.
    #[test]
    fn tls_that_is_read_in_parts_is_counted_too(acts in acts(TLS, PARTS), at in beginnings()) {
        let (observed, model) = run(&handshake(), &acts, begun(at), NONE);
        prop_assert_eq!(observed.exchanges, model.exchanges);
    }

    /// The look of the next hook makes it good.
    #[test]
    fn skipped_reads_change_nothing(acts in acts(BYTES, PARTS), at in beginnings(), every in 1..5_u64) {
        let question = [Act::Write(Kind::Bytes, 3)];
        let (observed, model) = run(&question, &acts, begun(at), Skips { reads: true, every, ..NONE });
        prop_assert_eq!(observed.exchanges, model.exchanges);
    }

    /// A hook of a send that was skipped leaves the question to be seen by its bytes. No more is counted than was asked.
    #[test]
    fn skipped_sends_invent_nothing(acts in acts(BYTES, PARTS), at in beginnings(), every in 1..5_u64) {
        let question = [Act::Write(Kind::Bytes, 3)];
        let (observed, _) = run(&question, &acts, begun(at), Skips { sends: true, reads: true, every });
        let written = 1 + acts.iter().filter(|act| matches!(act, Act::Write(..))).count() as u64;
        prop_assert!(observed.exchanges <= written);
    }
}

/// Whether a request is sent while another one is not answered.
fn pipelines(beginning: &[Act], acts: &[Act]) -> bool {
    let mut model = Model::default();
    beginning.iter().chain(acts).any(|act| {
        let is_pipelined = matches!(act, Act::Write(Kind::Request, _)) && model.asked_at.is_some();
        model.act(act);
        is_pipelined
    })
}

#[test]
fn what_is_offered_is_heard() {
    let spoken = |names: &[&[u8]], record_bytes: usize| {
        let mut observed = Observed::new();
        observed.write(&tls::hello(names, true), true);
        observed.received += 1500;
        observed.read(1500, true);
        let finished = [tls::record(tls::CHANGE_CIPHER_SPEC, &[1]), tls::record(tls::DATA, &[0; 53])].concat();
        observed.write(&finished, true);
        observed.write(&tls::record(tls::DATA, &[0; 200]), true);
        observed.received += 600;
        observed.read(600, true);
        observed.write(&tls::record(tls::DATA, &vec![0; record_bytes]), true);
        (observed.conversation.protocol, observed.exact, observed.exchanges)
    };
    let (tls, http2) = (Protocol::Tls as u8, Protocol::Http2 as u8);
    assert_eq!(spoken(&[b"h2"], 200), (http2, false, 1), "nothing else was offered");
    assert_eq!(spoken(&[b"h2", b"http/1.1"], 26), (http2, false, 1), "an acknowledgement of the settings");
    assert_eq!(spoken(&[b"h2", b"http/1.1"], 200), (tls, true, 1), "another request");
    assert_eq!(spoken(&[b"http/1.1"], 26), (tls, false, 1), "no request: a WebSocket's frame, perhaps");
    assert_eq!(spoken(&[], 26), (tls, false, 1), "nothing was offered, and no request is so short");
    assert_eq!(spoken(&[b"imap"], 200), (tls, false, 1), "another protocol, whose turns nobody knows");
}

/// Its settings may have come before the first request.
#[test]
fn an_acknowledgement_behind_a_request_is_http2() {
    let mut observed = Observed::new();
    observed.write(&tls::hello(&[b"h2", b"http/1.1"], true), true);
    observed.received += 1500;
    observed.read(1500, true);
    let finished = [tls::record(tls::CHANGE_CIPHER_SPEC, &[1]), tls::record(tls::DATA, &[0; 53])].concat();
    observed.write(&finished, true);
    observed.write(&tls::record(tls::DATA, &[0; 200]), true);
    observed.write(&tls::record(tls::DATA, &[0; 9 + 17]), true);
    assert!(observed.is(Protocol::Http2) && observed.is_marked());
}

#[test]
fn a_greeting() {
    let mut observed = Observed::new();
    observed.received += 40;
    observed.read(40, true);
    for exchanges in [0, 1, 2] {
        observed.write(b"NOOP\r\n", true);
        observed.received += 8;
        observed.read(8, true);
        assert_eq!(observed.exchanges, exchanges, "the first turn sets up");
        assert!(observed.is_marked(), "though it may have asked");
    }
}
