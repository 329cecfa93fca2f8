//! Plays a conversation on a connection. A tape of random bytes decides how the kernel takes sends, how payload arrives
//! and is read, and which hooks are skipped. A 0 on the tape and its end mean the ordinary case, so failures shrink to
//! their essence.

use std::collections::VecDeque;

use proptest::{collection::vec, prelude::*};

use crate::{
    buffers::Sight,
    observed::Observed,
    script::{Event, Reading, Script},
};

/// What the kernel hides from the hooks.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent faults")]
pub(crate) struct Faults {
    /// Some send hooks are skipped, and some read hooks.
    pub(crate) skip_sends: bool,
    pub(crate) skip_reads: bool,
    /// The bytes of some reads cannot be seen (io_uring, splice).
    pub(crate) hide_reads: bool,
    /// The bytes of some sends cannot be seen: a page is not in memory.
    pub(crate) hide_sends: bool,
}

impl Faults {
    pub(crate) const NONE: Self = Self { skip_sends: false, skip_reads: false, hide_reads: false, hide_sends: false };

    /// Any combination, including none.
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        any::<[bool; 4]>().prop_map(|[skip_sends, skip_reads, hide_reads, hide_sends]| Self {
            skip_sends,
            skip_reads,
            hide_reads,
            hide_sends,
        })
    }
}

/// Random decisions.
#[derive(Clone, Debug)]
pub(crate) struct Tape {
    bytes: Vec<u8>,
    at: usize,
}

impl Tape {
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        vec(prop_oneof![3 => Just(0), 2 => any::<u8>()], 0..200).prop_map(Self::of)
    }

    pub(crate) fn blank() -> Self {
        Self::of(Vec::new())
    }

    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        Self { bytes, at: 0 }
    }

    /// A number below `bound`.
    fn pick(&mut self, bound: usize) -> usize {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(byte) % bound
    }

    /// A part of `of`, mostly all of it.
    fn part(&mut self, of: usize) -> usize {
        match self.pick(8) {
            5 => 1,
            6 => of.div_ceil(2),
            7 => self.pick(256) % of + 1,
            _ => of,
        }
    }

    fn seldom(&mut self) -> bool {
        self.pick(6) == 5
    }
}

/// Size of the application's read buffer.
const READ_BYTES: usize = 64 << 10;

/// Size of a TLS record header.
const RECORD_HEAD_BYTES: usize = 5;

/// The bytes that identify an answer. memcached's header needs the most.
const STATUS_BYTES: usize = 24;

/// The rest of the current answer, and whether its first byte is next.
#[derive(Default)]
struct Range {
    len: usize,
    is_begin: bool,
}

impl Range {
    /// How a piece of this size tears the answer.
    fn torn(&self, piece_bytes: usize) -> Torn {
        if self.is_begin && piece_bytes < STATUS_BYTES.min(self.len) {
            Torn::Scraps
        } else if piece_bytes < self.len {
            Torn::Pieces
        } else {
            Torn::Whole
        }
    }
}

/// How an answer was read: at once, in pieces, or with a first piece too short for a status.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Torn {
    Whole,
    Pieces,
    Scraps,
}

pub(crate) struct Player {
    pub(crate) observed: Observed,
    tape: Tape,
    faults: Faults,
    /// Unread payload, one entry for each segment.
    unread: VecDeque<Vec<u8>>,
    /// The application's read buffer, with older bytes in it.
    buffer: Vec<u8>,
    reading: Reading,
    /// Bytes left of a TLS record whose header was read separately.
    record_left: usize,
    /// A send's hook was skipped and no hook has run since; and whether its answer has been read since.
    is_blind: bool,
    is_answered_blindly: bool,
    /// The application's position in the answer.
    answer: Range,
    /// The worst tearing of an answer.
    pub(crate) torn: Torn,
}

impl Player {
    fn play(&mut self, events: &[Event]) {
        for event in events {
            let before = self.observed.exchanges;
            match event {
                Event::Send(buffers) => self.send(buffers, Sight::Seen, true, None),
                Event::SendSeen(buffers) => self.send(buffers, Sight::Seen, false, None),
                Event::SendAnswered(bytes, answer) => {
                    self.send(std::slice::from_ref(bytes), Sight::Seen, true, Some(answer));
                }
                Event::SendFile(bytes) => self.send(&[vec![0; *bytes]], Sight::Pages, true, None),
                Event::Arrive(bytes) => self.arrive(bytes),
                Event::Read => self.read_all(),
                Event::Answer(bytes) => self.answer(bytes),
            }
            assert!(self.observed.exchanges >= before, "exchanges never decrease");
        }
    }

    /// The kernel takes a send in one chunk or several, and the hook sees the rest before each. `answer` is read after
    /// the first chunk.
    fn send(&mut self, buffers: &[Vec<u8>], sight: Sight, may_be_skipped: bool, answer: Option<&[u8]>) {
        let total: usize = buffers.iter().map(Vec::len).sum();
        let mut sent = 0;
        while sent < total {
            let left = behind(buffers, sent);
            let is_hidden = self.faults.hide_sends && self.tape.seldom();
            let sight = if is_hidden { Sight::Faulting } else { sight };
            // Twice if it has to wait for memory in between.
            for _ in 0..=usize::from(self.tape.pick(16) == 9) {
                // Two unseen requests with an unseen read between them look like one request (docs/COUNTING.md).
                let may_be_skipped = may_be_skipped && !self.is_answered_blindly;
                if may_be_skipped && self.faults.skip_sends && self.tape.seldom() {
                    self.is_blind = true;
                    self.observed.note("skipped send", left[0]);
                } else {
                    (self.is_blind, self.is_answered_blindly) = (false, false);
                    self.observed.sending(&left, sight);
                    self.observed.note(if sight == Sight::Seen { "send" } else { "hidden send" }, left[0]);
                }
            }
            let left = total - sent;
            let chunk = self.tape.part(if sent == 0 && answer.is_some() { left.div_ceil(2) } else { left });
            self.observed.written += chunk as u64;
            if sent == 0
                && let Some(answer) = answer
            {
                self.answer(answer);
            }
            sent += chunk;
        }
    }

    fn arrive(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (segment, behind) = rest.split_at(self.arriving(rest.len()));
            self.unread.push_back(segment.to_vec());
            self.observed.received += segment.len() as u64;
            rest = behind;
        }
    }

    fn arriving(&mut self, of: usize) -> usize {
        if self.reading == Reading::Any { self.tape.part(of) } else { of }
    }

    /// The most bytes that the application reads in one call.
    fn room(&mut self) -> usize {
        match self.reading {
            Reading::Whole => READ_BYTES,
            Reading::Records if self.record_left > 0 => self.record_left,
            Reading::Records => RECORD_HEAD_BYTES,
            Reading::Any => match self.tape.pick(8) {
                5 => 5,
                6 => 1 + self.tape.pick(40),
                7 => 25,
                _ => READ_BYTES,
            },
        }
    }

    fn read_all(&mut self) {
        while !self.unread.is_empty() {
            self.read();
        }
    }

    fn answer(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        self.answer = Range { len: bytes.len(), is_begin: true };
        while !rest.is_empty() {
            let (part, behind) = rest.split_at(self.arriving(rest.len()));
            self.arrive(part);
            self.read_all();
            rest = behind;
        }
    }

    /// One system call. The hook runs after each segment (`tcp_recvmsg_locked()` calls `tcp_rcv_space_adjust()` there).
    fn read(&mut self) {
        let room = self.room();
        let is_hidden = self.faults.hide_reads && self.tape.seldom();
        let mut filled = 0;
        while filled < room
            && let Some(mut segment) = self.unread.pop_front()
        {
            let rest = segment.split_off(segment.len().min(room - filled));
            self.buffer[filled..filled + segment.len()].copy_from_slice(&segment);
            self.observed.consumed += segment.len() as u64;
            if !rest.is_empty() {
                self.unread.push_front(rest);
            }
            self.torn = self.torn.max(self.answer.torn(segment.len()));
            self.answer.is_begin = false;
            if self.faults.skip_reads && self.tape.seldom() {
                self.is_answered_blindly = self.is_blind;
                self.observed.note("skipped read", &segment);
            } else {
                (self.is_blind, self.is_answered_blindly) = (false, false);
                self.observed.received((!is_hidden).then_some(&self.buffer[..room]));
                self.observed.note(if is_hidden { "hidden read" } else { "read" }, &segment);
            }
            filled += segment.len();
        }
        if self.record_left > 0 {
            self.record_left -= filled;
        } else if self.reading == Reading::Records {
            self.record_left = usize::from(u16::from_be_bytes([self.buffer[3], self.buffer[4]]));
        }
    }
}

/// The rest of a send after `taken` bytes.
fn behind(buffers: &[Vec<u8>], mut taken: usize) -> Vec<&[u8]> {
    let mut left = Vec::new();
    for buffer in buffers {
        let skipped = taken.min(buffer.len());
        taken -= skipped;
        if skipped < buffer.len() {
            left.push(&buffer[skipped..]);
        }
    }
    left
}

/// Plays a whole conversation and closes the connection.
pub(crate) fn play(observed: Observed, script: &Script, tape: &Tape, faults: Faults) -> Player {
    let mut player = Player {
        observed,
        tape: tape.clone(),
        faults,
        unread: VecDeque::new(),
        buffer: vec![b'#'; READ_BYTES],
        reading: script.reading,
        record_left: 0,
        is_blind: false,
        is_answered_blindly: false,
        answer: Range::default(),
        torn: Torn::Whole,
    };
    player.play(&script.events);
    player.observed.close();
    player
}
