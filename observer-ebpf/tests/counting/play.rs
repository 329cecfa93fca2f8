//! Plays a conversation on a connection: how the kernel takes sends, how payload comes, how it is read, and which hooks are
//! skipped, a tape of random bytes decides. Where the tape has ended, and where it says 0, nothing special happens: so a
//! failure shrinks to what it needs.

use std::collections::VecDeque;

use proptest::{collection::vec, prelude::*};

use crate::{
    buffers::Sight,
    observed::Observed,
    script::{Event, Reading, Script},
};

/// What the kernel does not let the hooks see.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each of them is there or not, whatever the others are")]
pub(crate) struct Faults {
    /// Hooks of sends are skipped now and then, and those of reads.
    pub(crate) skip_sends: bool,
    pub(crate) skip_reads: bool,
    /// What is read now and then cannot be seen (io_uring, splice).
    pub(crate) hide_reads: bool,
    /// What is sent now and then cannot be seen: a page that is not in memory.
    pub(crate) hide_sends: bool,
}

impl Faults {
    pub(crate) const NONE: Self = Self { skip_sends: false, skip_reads: false, hide_reads: false, hide_sends: false };

    /// Any of them, also none.
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
        vec(prop_oneof![3 => Just(0), 2 => any::<u8>()], 0..200).prop_map(|bytes| Self { bytes, at: 0 })
    }

    pub(crate) fn blank() -> Self {
        Self { bytes: Vec::new(), at: 0 }
    }

    /// A number below `bound`.
    fn pick(&mut self, bound: usize) -> usize {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(byte) % bound
    }

    /// A part of so many: mostly all of them.
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

/// A buffer that an application reads into.
const READ_BYTES: usize = 64 << 10;

/// Type and length of a record of TLS.
const RECORD_HEAD_BYTES: usize = 5;

/// Of an answer, what tells what it is: a head of memcached has most.
const STATUS_BYTES: usize = 24;

/// The answer that is read, and whether its first byte is read next.
#[derive(Default)]
struct Range {
    len: usize,
    is_begin: bool,
}

impl Range {
    /// By a piece of so many bytes.
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

/// How an answer was read: at once, in pieces, or with a first piece too short to tell a status.
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
    /// What has come and was not read, a segment each.
    unread: VecDeque<Vec<u8>>,
    /// The buffer that the application reads into, in which something older is.
    buffer: Vec<u8>,
    reading: Reading,
    /// How much of a record of TLS is left behind its head, which is read by itself.
    record_left: usize,
    /// A send whose hook was skipped was followed by no hook yet; and what answered it was read by now.
    is_blind: bool,
    is_answered_blindly: bool,
    /// Where in an answer the application reads.
    answer: Range,
    /// The most that an answer was torn.
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
            assert!(self.observed.exchanges >= before, "exchanges are only added");
        }
    }

    /// The kernel takes a send in one chunk or several, and looks at what is left of it before each.
    /// `answer`: what is read behind the first chunk of it.
    fn send(&mut self, buffers: &[Vec<u8>], sight: Sight, may_be_skipped: bool, answer: Option<&[u8]>) {
        let total: usize = buffers.iter().map(Vec::len).sum();
        let mut sent = 0;
        while sent < total {
            let left = behind(buffers, sent);
            let is_hidden = self.faults.hide_sends && self.tape.seldom();
            let sight = if is_hidden { Sight::Faulting } else { sight };
            // Twice where it has to wait for memory in between.
            for _ in 0..=usize::from(self.tape.pick(16) == 9) {
                // Two requests, of which neither is seen, nor the reading between them, look like one (docs/COUNTING.md).
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

    /// How many bytes the application wants at most.
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

    /// One system call. The hook runs behind each segment (`tcp_recvmsg_locked()` calls `tcp_rcv_space_adjust()` there).
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

/// What is left of a send of which so many bytes were taken.
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

/// Plays a whole conversation, and closes the connection.
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
