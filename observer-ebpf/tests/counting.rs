//! The counting rule against a model of it that knows what each send means, over random conversations: sends, arrivals,
//! reads and handshakes in any order, sequence numbers that wrap, and hooks that the kernel skips.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::cell::Cell;

use proptest::{collection::vec, prelude::*};
use tcp_reuse_watch_ebpf::{
    BEGINNING_BYTES, Burst, Conversation, Exactness, HEAD_BYTES, Head, Message, Protocol, Send,
};

/// What an application, its peer or the kernel does.
#[derive(Clone, Debug)]
enum Act {
    Write(Kind, u16),
    /// Payload comes in.
    Arrive(u16),
    /// The application reads so much of what has come.
    Read(u16),
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
            Self::Hello => hello(&[b"http/1.1"]),
            Self::KeyExchange => record(22, &[&[16, 0, 0], vec![0; 34].as_slice()].concat()),
            Self::Finished => [record(20, &[1]), record(22, &[0; 40])].concat(),
            // Longer than any request may be short.
            Self::Data => record(23, &vec![0; body + 60]),
            Self::Alert => record(21, &[0; 26]),
        }
    }

    /// Whether it asks, if nothing before it does.
    fn asks(self) -> bool {
        matches!(self, Self::Bytes | Self::Request | Self::Data)
    }
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, 3, 3, len[0], len[1]], body].concat()
}

/// A hello that offers these protocols.
fn hello(names: &[&[u8]]) -> Vec<u8> {
    let with_len = |bytes: Vec<u8>| [u16::try_from(bytes.len()).unwrap().to_be_bytes().to_vec(), bytes].concat();
    let list: Vec<u8> = names.iter().flat_map(|name| [&[name.len() as u8], *name].concat()).collect();
    let extension = |kind: u8, body: Vec<u8>| [vec![0, kind], with_len(body)].concat();
    let extensions = [extension(0, vec![0; 20]), extension(16, with_len(list)), extension(45, vec![1, 1])].concat();
    let body = [
        vec![3, 3],
        vec![7; 32],
        [vec![32], vec![9; 32]].concat(),
        with_len(vec![0x13; 34]),
        vec![1, 0],
        with_len(extensions),
    ]
    .concat();
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    record(22, &[&[1, len[1], len[2], len[3]], body.as_slice()].concat())
}

/// A send in one buffer.
struct Sent<'a>(&'a [u8]);

impl Sent<'_> {
    fn word(&self, offset: usize) -> Head {
        let rest = self.0.get(offset..).unwrap_or_default();
        let len = rest.len().min(HEAD_BYTES);
        let mut bytes = [0; HEAD_BYTES];
        bytes[..len].copy_from_slice(&rest[..len]);
        Head { word: u64::from_be_bytes(bytes), len: len as u32 }
    }
}

impl Message for Sent<'_> {
    fn head(&mut self, offset: u32) -> Head {
        self.word(offset as usize)
    }

    fn beginning(&mut self) -> Option<u32> {
        Some(self.0.len().min(BEGINNING_BYTES) as u32)
    }

    fn begins(&mut self, offset: u32) -> u64 {
        self.word(offset as usize & (BEGINNING_BYTES - 1)).word
    }
}

/// A connection whose hooks see what happens, unless they are skipped, as the handlers of the kernel side do.
struct Observed {
    conversation: Conversation,
    first_sent: u32,
    first_received: u32,
    write_seq: u32,
    received: u32,
    consumed: u32,
    exchanges: u64,
    exact: bool,
}

impl Observed {
    fn new(first_sent: u32, first_received: u32) -> Self {
        let mut conversation = Conversation::EMPTY;
        conversation.begin(first_sent, first_received);
        Self {
            conversation,
            first_sent,
            first_received,
            write_seq: first_sent,
            received: first_received,
            consumed: first_received,
            exchanges: 0,
            exact: true,
        }
    }

    fn look(&mut self) {
        self.exchanges += u64::from(self.conversation.turn.look(self.write_seq, self.consumed));
    }

    fn write(&mut self, bytes: &[u8], is_seen: bool) {
        if is_seen {
            self.hear(bytes);
        }
        self.write_seq = self.write_seq.wrapping_add(bytes.len() as u32);
    }

    /// handlers/send.rs.
    fn hear(&mut self, bytes: &[u8]) {
        let (seq, len) = (self.write_seq, bytes.len() as u32);
        let burst = self.conversation.turn.send(seq, len);
        if burst == Burst::Continues {
            return;
        }
        self.look();
        self.conversation.turn.ask(seq, self.received);
        if !self.conversation.listens(seq) {
            return;
        }
        let send = Send {
            seq,
            len,
            after_unseen: burst == Burst::BeginsAfterUnseen,
            first_sent: self.first_sent,
            first_received: self.first_received,
            received: self.received,
            consumed: self.consumed,
        };
        if self.conversation.hear(&mut Sent(bytes), send) == Exactness::Inexact {
            self.exact = false;
        }
    }

    fn arrive(&mut self, bytes: u16) {
        self.received = self.received.wrapping_add(bytes.into());
    }

    fn read(&mut self, bytes: u16, is_seen: bool) {
        let unread = self.received.wrapping_sub(self.consumed);
        self.consumed = self.consumed.wrapping_add(unread.min(bytes.into()));
        if is_seen {
            self.look();
        }
    }
}

/// The rule in its own words, with numbers that do not wrap.
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

fn acts(kinds: &'static [Kind]) -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => (prop::sample::select(kinds), 0..2000_u16).prop_map(|(kind, len)| Act::Write(kind, len)),
        // Not the size of "100 Continue" in TLS 1.2, which means something.
        3 => (100..3000_u16).prop_map(Act::Arrive),
        4 => (1..4000_u16).prop_map(Act::Read),
        1 => Just(Act::Look),
    ];
    vec(act, 0..120)
}

/// Runs the acts behind a beginning; `skips` says which hooks the kernel skips (a hook of sends, and one of reads).
fn run(
    beginning: &[Act],
    acts: &[Act],
    sent: u32,
    received: u32,
    skips: (bool, bool),
    every: u64,
) -> (Observed, Model) {
    let (mut observed, mut model) = (Observed::new(sent, received), Model::default());
    let turns = Cell::new(0_u64);
    let is_skipped = |may_be: bool| {
        turns.set(turns.get() + 1);
        may_be && turns.get().is_multiple_of(every)
    };
    for act in beginning.iter().chain(acts) {
        let before = observed.exchanges;
        match act {
            Act::Write(kind, len) => observed.write(&kind.bytes(*len), !is_skipped(skips.0)),
            Act::Arrive(bytes) => observed.arrive(*bytes),
            Act::Read(bytes) => observed.read(*bytes, !is_skipped(skips.1)),
            Act::Look => observed.look(),
        }
        assert!(observed.exchanges >= before, "exchanges are only added");
        model.act(act);
    }
    observed.look();
    (observed, model)
}

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
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_are_counted_as_the_model_counts_them(acts in acts(BYTES), sent: u32, received: u32) {
        // What comes before anything was sent makes it a server that speaks first: see `a_greeting`.
        let question = [Act::Write(Kind::Bytes, 3)];
        let (observed, model) = run(&question, &acts, sent, received, (false, false), 1);
        prop_assert_eq!(observed.exchanges, model.exchanges);
        prop_assert!(observed.exact);
        prop_assert_eq!(observed.conversation.protocol, Protocol::Plain as u8);
    }

    #[test]
    fn http_is_counted_as_the_model_counts_it(acts in acts(HTTP), sent: u32, received: u32) {
        let request = [Act::Write(Kind::Request, 3)];
        let (observed, model) = run(&request, &acts, sent, received, (false, false), 1);
        prop_assert_eq!(observed.exchanges, model.exchanges);
        // A request before the answer to the last is told.
        prop_assert_eq!(observed.exact, !pipelines(&request, &acts));
    }

    #[test]
    fn tls_is_counted_as_the_model_counts_it(acts in acts(TLS), sent: u32, received: u32) {
        let (observed, model) = run(&handshake(), &acts, sent, received, (false, false), 1);
        prop_assert_eq!(observed.exchanges, model.exchanges);
        prop_assert!(observed.exact);
        prop_assert_eq!(observed.conversation.protocol, Protocol::Tls as u8);
    }

    /// The look of the next hook makes it good.
    #[test]
    fn skipped_reads_change_nothing(acts in acts(BYTES), sent: u32, received: u32, every in 1..5_u64) {
        let question = [Act::Write(Kind::Bytes, 3)];
        let (observed, model) = run(&question, &acts, sent, received, (false, true), every);
        prop_assert_eq!(observed.exchanges, model.exchanges);
    }

    /// A hook of a send that was skipped leaves the question to be seen by its bytes. No more is counted than was asked.
    #[test]
    fn skipped_sends_invent_nothing(acts in acts(BYTES), sent: u32, received: u32, every in 1..5_u64) {
        let question = [Act::Write(Kind::Bytes, 3)];
        let (observed, _) = run(&question, &acts, sent, received, (true, true), every);
        let written = 1 + acts.iter().filter(|act| matches!(act, Act::Write(..))).count() as u64;
        prop_assert!(observed.exchanges <= written);
    }

    /// Whatever a program sends, and however it lies about lengths, nothing panics and exchanges only grow.
    #[test]
    fn any_bytes_are_heard(sends in vec((vec(any::<u8>(), 1..300), 0..400_u16), 1..30), tls: bool) {
        let mut observed = Observed::new(u32::MAX - 200, 5);
        if tls {
            observed.write(&Kind::Hello.bytes(0), true);
        }
        for (bytes, answer) in sends {
            observed.write(&bytes, true);
            observed.arrive(answer);
            observed.read(answer, true);
        }
    }

    /// A hello whose lengths lie.
    #[test]
    fn any_hello_is_heard(mut bytes in Just(hello(&[b"h2", b"http/1.1"])), at in 5..160_usize, byte: u8) {
        bytes[at] = byte;
        let mut observed = Observed::new(1, 1);
        observed.write(&bytes, true);
        prop_assert_eq!(observed.conversation.protocol, Protocol::Tls as u8);
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
        let mut observed = Observed::new(u32::MAX - 300, u32::MAX - 900);
        observed.write(&hello(names), true);
        observed.arrive(1500);
        observed.read(1500, true);
        observed.write(&[record(20, &[1]), record(23, &[0; 53])].concat(), true);
        observed.write(&record(23, &[0; 200]), true);
        observed.arrive(600);
        observed.read(600, true);
        observed.write(&record(23, &vec![0; record_bytes]), true);
        (observed.conversation.protocol, observed.exact, observed.exchanges)
    };
    let (tls, http2) = (Protocol::Tls as u8, Protocol::Http2 as u8);
    assert_eq!(spoken(&[b"h2"], 200), (http2, false, 1), "nothing else was offered");
    assert_eq!(spoken(&[b"h2", b"http/1.1"], 26), (http2, false, 1), "an acknowledgement of the settings");
    assert_eq!(spoken(&[b"h2", b"http/1.1"], 200), (tls, true, 1), "another request");
    assert_eq!(spoken(&[b"http/1.1"], 26), (tls, false, 1), "no request: a WebSocket's frame, perhaps");
    assert_eq!(spoken(&[b"imap"], 26), (tls, true, 1), "another protocol has requests of any length");
}

#[test]
fn a_greeting() {
    let mut observed = Observed::new(1, 1);
    observed.arrive(40);
    observed.read(40, true);
    for exchanges in [0, 1, 2] {
        observed.write(b"NOOP\r\n", true);
        observed.arrive(8);
        observed.read(8, true);
        assert_eq!(observed.exchanges, exchanges, "the first turn sets up");
    }
    assert!(!observed.exact);
}
