//! The rule compared with a model that knows what each send means: sends, arrivals, reads and handshakes in any order.

use std::{cell::Cell, ops::RangeInclusive};

use proptest::{collection::vec, prelude::*, test_runner::TestCaseError};
use tcp_reuse_watch_ebpf::{Application, Protocol};

use crate::{buffers::Sight, config, observed::Observed, wire::tls};

/// An action of the application, its peer or the kernel.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Write(Kind, u16),
    /// Payload arrives.
    Arrive(u16),
    /// The application reads up to this many bytes.
    Read(u32),
    /// A hook runs, and nothing has changed.
    Hook,
}

/// The true meaning of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Bytes of an unrecognised protocol.
    Bytes,
    /// An HTTP request, and bytes that continue one or are none.
    Request,
    More,
    /// The parts of TLS 1.2.
    Hello,
    KeyExchange,
    Finished,
    Data,
    Alert,
}

impl Kind {
    /// The bytes on the wire, about `len` of them.
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
            // Longer than the shortest request.
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

/// The counting rule, stated independently.
#[derive(Default)]
struct Model {
    received: u64,
    consumed: u64,
    /// End of the received payload at the unanswered ask.
    asked_at: Option<u64>,
    exchanges: u64,
}

impl Model {
    fn apply(&mut self, action: &Action) {
        match *action {
            Action::Write(kind, _) if kind.asks() && self.asked_at.is_none() => self.asked_at = Some(self.received),
            Action::Arrive(bytes) => self.received += u64::from(bytes),
            Action::Read(bytes) => {
                self.consumed += (self.received - self.consumed).min(bytes.into());
                if self.asked_at.is_some_and(|asked_at| self.consumed > asked_at) {
                    self.asked_at = None;
                    self.exchanges += 1;
                }
            }
            Action::Write(..) | Action::Hook => {}
        }
    }
}

/// `reads` is the range of read sizes.
fn actions(kinds: &'static [Kind], reads: RangeInclusive<u32>) -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        3 => (prop::sample::select(kinds), 0..2000_u16).prop_map(|(kind, len)| Action::Write(kind, len)),
        // Larger than "100 Continue" in TLS 1.2, whose size is significant.
        3 => (100..3000_u16).prop_map(Action::Arrive),
        4 => reads.prop_map(Action::Read),
        1 => Just(Action::Hook),
    ];
    vec(action, 0..120)
}

/// The start of a new or a pre-existing connection.
pub(crate) fn starts() -> impl Strategy<Value = (u64, u64)> {
    prop_oneof![Just((0, 0)), resumptions()]
}

/// The start of a pre-existing connection with byte counts beyond 31 or 32 bits.
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

pub(crate) fn start_at(at: (u64, u64)) -> Observed {
    if at == (0, 0) { Observed::new() } else { Observed::resumed(at.0, at.1) }
}

/// Which hooks the kernel skips: sends, reads, and every how many of them.
#[derive(Clone, Copy)]
struct Skips {
    sends: bool,
    reads: bool,
    every: u64,
}

const NONE: Skips = Skips { sends: false, reads: false, every: 1 };

/// Runs the actions after a prelude.
fn run(prelude: &[Action], actions: &[Action], mut observed: Observed, skips: Skips) -> (Observed, Model) {
    let mut model = Model::default();
    let turns = Cell::new(0_u64);
    let is_skipped = |may_be: bool| {
        turns.set(turns.get() + 1);
        may_be && turns.get().is_multiple_of(skips.every)
    };
    for action in prelude.iter().chain(actions) {
        let before = observed.exchanges;
        match action {
            Action::Write(kind, len) => observed.write(&kind.bytes(*len), !is_skipped(skips.sends)),
            Action::Arrive(bytes) => observed.received += u64::from(*bytes),
            Action::Read(bytes) => observed.read(*bytes, !is_skipped(skips.reads)),
            Action::Hook => observed.run_hook(),
        }
        assert!(observed.exchanges >= before, "exchanges never decrease");
        model.apply(action);
    }
    observed.run_hook();
    (observed, model)
}

const PARTS: RangeInclusive<u32> = 1..=4000;
/// More than ever arrives at once.
const WHOLE: RangeInclusive<u32> = 1_000_000..=1_000_000;

pub(crate) const BYTES: &[Kind] = &[Kind::Bytes];
pub(crate) const HTTP: &[Kind] = &[Kind::Request, Kind::More];
pub(crate) const TLS: &[Kind] = &[Kind::Data, Kind::Data, Kind::Data, Kind::Alert];

/// The client's and the server's part of a TLS 1.2 handshake.
fn handshake() -> Vec<Action> {
    vec![
        Action::Write(Kind::Hello, 0),
        Action::Arrive(2000),
        Action::Read(4000),
        Action::Write(Kind::KeyExchange, 0),
        Action::Write(Kind::Finished, 0),
        Action::Arrive(51),
        Action::Read(100),
    ]
}

/// The rule's judgement of these actions is that of the model.
pub(crate) fn compare_bytes(actions: &[Action], at: (u64, u64)) -> Result<(), TestCaseError> {
    // Payload that arrives before the first send means that the server speaks first: see
    // `first_turn_after_a_greeting_is_set_up`.
    let ask = [Action::Write(Kind::Bytes, 3)];
    let (observed, model) = run(&ask, actions, start_at(at), NONE);
    prop_assert_eq!(observed.exchanges, model.exchanges);
    prop_assert_eq!(observed.is_marked(), model.exchanges > 0, "the protocol is unknown");
    prop_assert!(observed.is(Protocol::Plain));
    prop_assert_eq!(observed.application(), Application::Unknown);
    Ok(())
}

pub(crate) fn compare_http(actions: &[Action], at: (u64, u64)) -> Result<(), TestCaseError> {
    let request = [Action::Write(Kind::Request, 3)];
    let (observed, model) = run(&request, actions, start_at(at), NONE);
    prop_assert_eq!(observed.exchanges, model.exchanges);
    // A request before the last answer is detected.
    prop_assert_eq!(observed.exact, !pipelines(&request, actions));
    prop_assert_eq!(observed.application(), Application::Http1);
    Ok(())
}

pub(crate) fn compare_tls(actions: &[Action], at: (u64, u64)) -> Result<(), TestCaseError> {
    let (observed, model) = run(&handshake(), actions, start_at(at), NONE);
    prop_assert_eq!(observed.exchanges, model.exchanges);
    prop_assert!(observed.exact);
    prop_assert!(observed.is(Protocol::Tls));
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn bytes_match_the_model(actions in actions(BYTES, PARTS), at in starts()) {
        compare_bytes(&actions, at)?;
    }

    #[test]
    fn http_matches_the_model(actions in actions(HTTP, PARTS), at in starts()) {
        compare_http(&actions, at)?;
    }

    #[test]
    fn tls_matches_the_model(actions in actions(TLS, WHOLE), at in starts()) {
        compare_tls(&actions, at)?;
    }

    /// An ask after the first bytes of an answer may follow no answer at all. It is marked and counted.
    #[test]
    fn tls_read_in_parts_matches_the_model(actions in actions(TLS, PARTS), at in starts()) {
        let (observed, model) = run(&handshake(), &actions, start_at(at), NONE);
        prop_assert_eq!(observed.exchanges, model.exchanges);
    }

    /// The next hook's update makes up for it.
    #[test]
    fn skipped_read_hooks_change_nothing(actions in actions(BYTES, PARTS), at in starts(), every in 1..5_u64) {
        let ask = [Action::Write(Kind::Bytes, 3)];
        let (observed, model) = run(&ask, &actions, start_at(at), Skips { reads: true, every, ..NONE });
        prop_assert_eq!(observed.exchanges, model.exchanges);
    }

    /// After a skipped send hook the byte count still shows the ask. The count never exceeds the asks.
    #[test]
    fn skipped_send_hooks_add_no_exchanges(actions in actions(BYTES, PARTS), at in starts(), every in 1..5_u64) {
        let ask = [Action::Write(Kind::Bytes, 3)];
        let (observed, _) = run(&ask, &actions, start_at(at), Skips { sends: true, reads: true, every });
        let written = 1 + actions.iter().filter(|action| matches!(action, Action::Write(..))).count() as u64;
        prop_assert!(observed.exchanges <= written);
    }
}

/// Whether a request is sent while another is unanswered.
fn pipelines(prelude: &[Action], actions: &[Action]) -> bool {
    let mut model = Model::default();
    prelude.iter().chain(actions).any(|action| {
        let is_pipelined = matches!(action, Action::Write(Kind::Request, _)) && model.asked_at.is_some();
        model.apply(action);
        is_pipelined
    })
}

#[test]
fn offered_protocols_are_recognised() {
    let dialogue = |names: &[&[u8]], record_bytes: usize| {
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
    assert_eq!(dialogue(&[b"h2"], 200), (http2, false, 1), "nothing else was offered");
    assert_eq!(dialogue(&[b"h2", b"http/1.1"], 26), (http2, false, 1), "a settings acknowledgement");
    assert_eq!(dialogue(&[b"h2", b"http/1.1"], 200), (tls, true, 1), "another request");
    assert_eq!(dialogue(&[b"http/1.1"], 26), (tls, false, 1), "too short for a request: perhaps a WebSocket frame");
    assert_eq!(dialogue(&[], 26), (tls, false, 1), "nothing was offered, and it is too short for a request");
    assert_eq!(dialogue(&[b"imap"], 200), (tls, false, 1), "a protocol with unknown turns");
}

/// The server's settings may have arrived before the first request.
#[test]
fn settings_acknowledgement_after_a_request_is_http2() {
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
fn first_turn_after_a_greeting_is_set_up() {
    let mut observed = Observed::new();
    observed.received += 40;
    observed.read(40, true);
    for exchanges in [0, 1, 2] {
        observed.write(b"NOOP\r\n", true);
        observed.received += 8;
        observed.read(8, true);
        assert_eq!(observed.exchanges, exchanges, "the first turn is set-up");
        assert!(observed.is_marked(), "it may have asked");
    }
}
