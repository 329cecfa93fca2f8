//! A target of `cargo xtask fuzz`: arbitrary bytes, in any order of sends and answers, with any hooks skipped. They never
//! panic the rule, and never count more exchanges than there are turns, unless the count is marked.
#![no_main]
#![allow(dead_code, reason = "the tests use the rest")]

mod buffers;
mod observed;
mod play;
mod script;

use libfuzzer_sys::fuzz_target;

use observed::Observed;
use play::{Faults, Tape, play};
use script::{Event, Script};

/// Positions at which a connection is taken over: a new one, and some beyond 31 and 32 bits.
const STARTS: [(u64, u64); 4] = [(0, 0), (1, 1), ((1 << 31) - 40, (1 << 32) - 40), (5 << 32, (1 << 31) - 1)];

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let Some(choices) = input.byte() else { return };
    let [skip_sends, skip_reads, hide_reads, hide_sends] = [0, 1, 2, 3].map(|bit| choices >> bit & 1 != 0);
    let faults = Faults { skip_sends, skip_reads, hide_reads, hide_sends };
    let tape = Tape::of(input.piece().unwrap_or_default().to_vec());
    let mut events = Vec::new();
    while let Some(event) = input.event() {
        events.extend(event);
    }
    let (written, consumed) = STARTS[usize::from(choices >> 4 & 3)];
    let observed = if written == 0 { Observed::new() } else { Observed::resumed(written, consumed) };
    let turns = turns(&events);
    let player = play(observed, &Script { events, ..Script::default() }, &tape, faults);
    let Observed { exchanges, exact, log, .. } = &player.observed;
    // With a hook skipped, the order of a send and a read is unknown, and the count is marked.
    let may_be_more = !exact && (skip_sends || skip_reads);
    assert!(*exchanges <= turns || may_be_more, "{exchanges} in {turns} turns: {log:#?}");
});

/// The slow and simple model: how often something is read after something was sent. A connection that only ever sends
/// has one.
fn turns(events: &[Event]) -> u64 {
    let (mut turns, mut has_sent, mut has_received, mut has_unread) = (0, false, false, false);
    for event in events {
        match event {
            Event::Send(_) | Event::SendSeen(_) | Event::SendFile(_) => has_sent = true,
            Event::SendAnswered(..) => {
                (turns, has_received, has_unread) = (turns + 1, true, false);
                // What is left of the send.
                has_sent = true;
            }
            Event::Arrive(_) => (has_received, has_unread) = (true, true),
            Event::Read | Event::Answer(_) => {
                let reads = has_unread || matches!(event, Event::Answer(_));
                has_received |= reads;
                has_unread = false;
                if has_sent && reads {
                    (turns, has_sent) = (turns + 1, false);
                }
            }
        }
    }
    if has_sent && !has_received { 1 } else { turns }
}

/// The rest of the input.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    /// A length, and as many bytes.
    fn piece(&mut self) -> Option<&'a [u8]> {
        let len = usize::from(self.byte()?);
        let (piece, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        Some(piece)
    }

    /// An event without bytes is skipped.
    fn event(&mut self) -> Option<Option<Event>> {
        let kind = self.byte()? % 8;
        if kind == 0 {
            return Some(Some(Event::Read));
        }
        let bytes = self.piece()?;
        if bytes.is_empty() {
            return Some(None);
        }
        let (begin, rest) = bytes.split_at(bytes.len().div_ceil(2));
        Some(Some(match kind {
            1 => Event::Arrive(bytes.to_vec()),
            2 => Event::SendFile(usize::from(bytes[0]) * 16 + 1),
            3 if !rest.is_empty() => Event::SendAnswered(begin.to_vec(), rest.to_vec()),
            4 if !rest.is_empty() => Event::Send(vec![begin.to_vec(), rest.to_vec()]),
            5 | 6 => Event::Answer(bytes.to_vec()),
            _ => Event::Send(vec![bytes.to_vec()]),
        }))
    }
}
