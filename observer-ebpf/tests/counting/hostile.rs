//! Hostile input: arbitrary bytes and false lengths never panic, and exchanges never decrease (which the player
//! asserts).

use proptest::{collection::vec, prelude::*};
use tcp_reuse_watch_ebpf::Protocol;

use crate::{
    buffers::Sight,
    config,
    model::{start_at, starts},
    observed::Observed,
    play::{Faults, Tape, play},
    script::{Event, Script},
    wire::tls,
    wrapped,
};

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 1..300),
        // Typical beginnings of the protocols.
        (prop::sample::select(STARTS), vec(any::<u8>(), 0..300)).prop_map(|(start, rest)| [start, &rest].concat()),
    ]
}

const STARTS: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\nUpgrade: x\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 9999999999999999\r\n\r\n",
    b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"PURGE ",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"CONNECT x:1 HTTP/1.1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\n",
    b"PROXY TCP4 ",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
    b"\x05\x01\0",
    b"\x04\x01",
    b"\0\0\0\x08\x04\xd2\x16\x2f",
    b"Q\xff\xff\xff\xff",
    b"P\0\0\0\0\0S\0\0\0\x04",
    b"d\x7f\xff\xff\xff",
    b"*999\r\n$9999\r\n",
    b"*1\r\n$5\r\nHELLO\r\n",
    b"get \r\n",
    b"END\r\n",
    b"\xff\xff\xff\0\x03SET ",
    b"\x20\0\0\x01\x85\xa6\xff\x20\0\0\0\x01\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    b"\x16\x03\x01\xff\xff\x01\0\xff\xff\x03\x03",
    b"\x14\x03\x03\0\x01\x01\x16\x03\x03\0\x28",
    b"\x17\x03\x03\xff\xff",
    b"AMQP\0\0\x09\x01",
    b"SSH-2.0-x\r\n",
    b"220 x\r\n",
    b"EHLO ",
    b"\x30\x84\xff\xff\xff\xff\x02\x04",
    b"\x10\xff\0\x04MQTT",
];

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => vec(bytes(), 1..4).prop_map(Event::Send),
        1 => (bytes(), bytes()).prop_map(|(bytes, answer)| Event::SendAnswered(bytes, answer)),
        1 => (1..5000_usize).prop_map(Event::SendFile),
        1 => bytes().prop_map(Event::Arrive),
        1 => Just(Event::Read),
        3 => bytes().prop_map(Event::Answer),
    ];
    vec(event, 1..30)
}

impl Event {
    /// Bytes of this event, for mutation.
    fn bytes_mut(&mut self) -> Option<&mut Vec<u8>> {
        match self {
            Self::Send(buffers) | Self::SendSeen(buffers) => buffers.first_mut(),
            Self::Arrive(bytes) | Self::Answer(bytes) | Self::SendAnswered(bytes, _) => Some(bytes),
            Self::SendFile(_) | Self::Read => None,
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn arbitrary_bytes_never_panic(events in events(), at in starts(), tape in Tape::any(), faults in Faults::any()) {
        play(start_at(at), &Script { events, ..Script::default() }, &tape, faults);
    }

    /// A conversation with missing events and wrong bytes.
    #[test]
    fn corrupted_conversations_never_panic(
        (mut script, _) in wrapped::conversations(),
        mistakes in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..20),
        gaps in vec(any::<prop::sample::Index>(), 0..3),
        tape in Tape::any(),
        faults in Faults::any(),
    ) {
        for (event, at, byte) in mistakes {
            let event = event.index(script.events.len());
            if let Some(bytes) = script.events[event].bytes_mut().filter(|bytes| !bytes.is_empty()) {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        for gap in gaps {
            if script.events.len() > 1 {
                script.events.remove(gap.index(script.events.len()));
            }
        }
        play(Observed::new(), &script, &tape, faults);
    }

    /// A hello with false lengths.
    #[test]
    fn corrupted_hello_is_still_tls(mut bytes in Just(tls::hello(&[b"h2", b"http/1.1"], true)), at in 5..160_usize, byte: u8) {
        let at = at.min(bytes.len() - 1);
        bytes[at] = byte;
        let mut observed = Observed::new();
        observed.sending(&[&bytes], Sight::Seen);
        prop_assert!(observed.is(Protocol::Tls));
    }
}
