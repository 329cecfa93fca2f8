//! The counting rule: when has a connection carried one more exchange?
//!
//! It counts from the socket's own sequence numbers, not from having seen an event, because the kernel silently skips
//! tracing programs now and then. A hook is only a moment to look: a look that was skipped is made good by the next one,
//! and looking twice counts once.
//!
//! - *asked*: the application has written payload since the last counted exchange;
//! - *answered*: after that it has consumed payload that had not come yet when it asked.
//!
//! Asked and answered is one exchange. What sets a connection up (a TLS handshake, a login) is excused: it asks nothing.
//! Which sends those are, `conversation.rs` knows.
//!
//! All positions are bytes of payload since the connection began, in 64 bits: the socket's own sequence numbers wrap at
//! 4 GiB, and their difference is ambiguous from 2 GiB on, which one upload can exceed.
//!
//! Plain functions over plain numbers, built for the kernel and for the host alike, so that they can be tested here.

mod position;

pub use position::{consumed_bytes, written_bytes};

/// Where a connection stands between asking and being answered.
#[repr(C)]
#[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// What was written up to here is counted, or asked nothing.
    accounted: u64,
    /// What was consumed at the last look.
    consumed: u64,
    /// Where the last seen chunk of a send began.
    chunk_at: u64,
    /// What had come when it was asked: the answer is behind it.
    asked_at: u64,
    /// Where the answer began that was counted last.
    answer_from: u64,
    /// How many bytes the last seen send still held at that chunk.
    chunk_left: u32,
    /// How much of the answer was consumed between the last two looks, and in the read before that was no header of TLS.
    last_read: u32,
    read_before: u32,
    /// In how many reads it was consumed.
    reads: u16,
    /// Bits of [`unseen`].
    unseen: u8,
    /// 1 once what was asked by the last seen send is known: what is read from then on may answer it, before all of it is
    /// written.
    is_in_flight: u8,
}

/// What no hook saw of what asks.
mod unseen {
    /// All of it.
    pub(super) const WHOLE: u8 = 1;
    /// A part: something else of it was seen, before or behind.
    pub(super) const PART: u8 = 1 << 1;
    /// All of it, and it was found at the next send: it is not known whether the answer was read before it or after it.
    pub(super) const LATE: u8 = 1 << 2;
}

const _: () = assert!(size_of::<Turn>() == 56);

/// Type and length of a record come first (RFC 8446 section 5.1).
pub(crate) const TLS_HEADER_BYTES: u32 = 5;

/// What a chunk of a send is to the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// The same send goes on: its first bytes were seen already.
    Continues,
    /// A send begins here.
    Begins,
    /// A send begins here, and bytes before it were written that no hook saw.
    BeginsAfterUnseen,
}

impl Turn {
    pub const EMPTY: Self = Self {
        accounted: 0,
        consumed: 0,
        chunk_at: 0,
        asked_at: 0,
        answer_from: 0,
        chunk_left: 0,
        last_read: 0,
        read_before: 0,
        reads: 0,
        unseen: 0,
        is_in_flight: 0,
    };

    /// A connection first seen in mid-life, as it is then; `is_pending`: what was asked last is not answered yet.
    #[inline(always)]
    #[must_use]
    pub fn resumed(written: u64, consumed: u64, is_pending: bool) -> Self {
        let accounted = written.wrapping_sub(u64::from(is_pending));
        Self { accounted, consumed, chunk_at: written, asked_at: consumed, answer_from: consumed, ..Self::EMPTY }
    }

    /// Looks at the socket: `written` is how much the application has written, `consumed` how much it has read, both
    /// without a FIN. True when one more exchange is complete.
    #[inline(always)]
    pub fn update(&mut self, written: u64, consumed: u64) -> bool {
        if consumed == self.consumed {
            return false;
        }
        let before = self.consumed;
        self.consumed = consumed;
        if self.last_read != TLS_HEADER_BYTES {
            self.read_before = self.last_read;
        }
        self.last_read = consumed.wrapping_sub(before) as u32;
        self.reads = self.reads.saturating_add(1);
        if !self.has_open_ask(written) || consumed <= self.asked_at {
            return false;
        }
        self.account_for(written);
        // What had come before is no part of it.
        self.answer_from = if self.asked_at > before { self.asked_at } else { before };
        self.reads = 1;
        true
    }

    /// A send begins at `at`. If it asks, its answer is behind `received`, the end of what has come by now.
    #[inline(always)]
    pub fn ask(&mut self, at: u64, received: u64) {
        if !self.has_open_ask(at) {
            self.asked_at = received;
            self.unseen = 0;
        }
        self.is_in_flight = 1;
    }

    /// What is read up to `consumed` only announces the answer (`100 Continue`).
    #[inline(always)]
    pub(crate) fn defer_answer(&mut self, consumed: u64) {
        if self.asked_at < consumed {
            self.asked_at = consumed;
        }
    }

    /// What is read from here on is no part of a handshake.
    #[inline(always)]
    pub(crate) fn restart_answer(&mut self) {
        self.answer_from = self.consumed;
    }

    /// Bytes of the answer that was counted last, as far as it was read.
    #[inline(always)]
    #[must_use]
    pub(crate) fn answer_bytes(&self) -> u64 {
        self.consumed.wrapping_sub(self.answer_from)
    }

    /// Where the answer begins, or goes on, in what is read next.
    #[inline(always)]
    #[must_use]
    pub(crate) fn answer_due_from(&self) -> u64 {
        if self.asked_at > self.consumed { self.asked_at } else { self.consumed }
    }

    /// What was consumed at the last look.
    #[inline(always)]
    #[must_use]
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Bytes of the last read.
    #[inline(always)]
    #[must_use]
    pub(crate) fn last_read_bytes(&self) -> u32 {
        self.last_read
    }

    /// Whether that answer was a single record of TLS, or two of one length, read as OpenSSL does: first the header, then
    /// the rest.
    #[inline(always)]
    #[must_use]
    pub(crate) fn is_answer_of_equal_records(&self) -> bool {
        let record = u64::from(self.last_read) + u64::from(TLS_HEADER_BYTES);
        self.reads == 2 && self.answer_bytes() == record || self.is_answer_of_two_records()
    }

    /// The end of the last send that a hook has seen.
    #[inline(always)]
    #[must_use]
    pub(crate) fn seen_end(&self) -> u64 {
        self.chunk_at + u64::from(self.chunk_left)
    }

    /// Whether it was two of one length, read so.
    #[inline(always)]
    #[must_use]
    pub(crate) fn is_answer_of_two_records(&self) -> bool {
        let record = u64::from(self.last_read) + u64::from(TLS_HEADER_BYTES);
        self.reads == 4 && self.answer_bytes() == 2 * record && self.last_read == self.read_before
    }

    /// Whether something was asked that has not been counted.
    #[inline(always)]
    #[must_use]
    pub fn has_open_ask(&self, written: u64) -> bool {
        written > self.accounted
    }

    /// Whether the application has consumed something since the last look.
    #[inline(always)]
    #[must_use]
    pub fn has_consumed(&self, consumed: u64) -> bool {
        consumed != self.consumed
    }

    /// Counts what was asked without an answer (the one exchange of a connection that only ever sends).
    #[inline(always)]
    pub fn account_for(&mut self, written: u64) {
        if self.unseen & (unseen::WHOLE | unseen::PART) == unseen::WHOLE {
            self.unseen |= unseen::LATE;
        }
        self.note_unseen(written);
        // The rest of a send that is still being taken belongs to what was asked.
        let seen_end = self.seen_end();
        self.accounted = if self.is_in_flight != 0 && seen_end > written { seen_end } else { written };
    }

    #[inline(always)]
    fn note_unseen(&mut self, written: u64) {
        let seen_end = self.seen_end();
        if written > seen_end {
            self.unseen |= if seen_end > self.accounted { unseen::PART } else { unseen::WHOLE };
        }
    }

    /// The `len` bytes that begin at `at` belong to what was asked before, and so does what was written before them unseen.
    #[inline(always)]
    pub(crate) fn exclude_body(&mut self, at: u64, len: u32) {
        if !self.has_open_ask(at) || self.unseen == unseen::WHOLE {
            self.accounted = at + u64::from(len);
            self.unseen = 0;
        }
    }

    /// Whether a part of what was counted last, but not all of it, was written without a hook that saw it.
    #[inline(always)]
    #[must_use]
    pub(crate) fn is_partly_unseen(&self) -> bool {
        self.unseen & unseen::PART != 0
    }

    /// Whether what is asked now, or a part of it, was written without a hook that saw it.
    #[inline(always)]
    #[must_use]
    pub(crate) fn has_unseen(&self, written: u64) -> bool {
        self.unseen != 0 || written > self.seen_end()
    }

    /// Whether it may have been written after what answered it was read.
    #[inline(always)]
    #[must_use]
    pub(crate) fn is_late(&self) -> bool {
        self.unseen & unseen::LATE != 0
    }

    /// Whether all of it was.
    #[inline(always)]
    #[must_use]
    pub(crate) fn is_unseen(&self) -> bool {
        self.unseen & unseen::WHOLE != 0
    }

    /// A chunk of a send is about to be written at `at`, of which `left` bytes are still to go.
    ///
    /// The kernel may take one send in several chunks (the tracepoint `tcp_sendmsg_locked` fires for each), and an
    /// application may retry the rest of a short one. It goes on if and only if what was written since is exactly what
    /// the send has shrunk by.
    #[inline(always)]
    pub fn begin_chunk(&mut self, at: u64, left: u32) -> Chunk {
        let written = at.wrapping_sub(self.chunk_at);
        let continues = self.chunk_left >= left && u64::from(self.chunk_left - left) == written && self.chunk_left != 0;
        let unseen = at > self.seen_end();
        self.note_unseen(at);
        self.chunk_at = at;
        self.chunk_left = left;
        self.is_in_flight = u8::from(continues);
        match (continues, unseen) {
            (true, _) => Chunk::Continues,
            (false, true) => Chunk::BeginsAfterUnseen,
            (false, false) => Chunk::Begins,
        }
    }

    /// The `len` bytes that begin at `at` ask nothing, unless something before them did.
    #[inline(always)]
    pub fn exclude(&mut self, at: u64, len: u32) {
        if !self.has_open_ask(at) {
            self.accounted = at + u64::from(len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beyond what 32 bits hold, where a mistake would show.
    const SENT: u64 = (1 << 32) - 40;
    const RECEIVED: u64 = (1 << 32) - 5;

    fn begun() -> Turn {
        Turn::resumed(SENT, RECEIVED, false)
    }

    #[test]
    fn request_and_answer_are_one_exchange_however_often_looked_at() {
        let mut turn = begun();
        let (mut sent, mut received) = (SENT, RECEIVED);
        let mut exchanges = 0;
        for _ in 0..10 {
            sent += 80;
            exchanges += u32::from(turn.update(sent, received));
            for _ in 0..3 {
                received += 500;
                exchanges += u32::from(turn.update(sent, received));
                exchanges += u32::from(turn.update(sent, received));
            }
        }
        assert_eq!(exchanges, 10);
    }

    #[test]
    fn an_answer_nobody_asked_for_is_no_exchange() {
        let mut turn = begun();
        assert!(!turn.update(SENT, RECEIVED + 30), "a greeting");
        assert!(turn.update(SENT + 5, RECEIVED + 60));
    }

    #[test]
    fn a_question_without_an_answer_is_no_exchange() {
        let mut turn = begun();
        assert!(!turn.update(SENT + 5, RECEIVED));
        assert!(turn.has_open_ask(SENT + 5));
    }

    #[test]
    fn a_skipped_receive_is_made_good_by_the_look_of_the_next_send() {
        let mut turn = begun();
        // The answer to the first request was read unseen; the second send looks before its bytes are added.
        assert!(turn.update(SENT + 80, RECEIVED + 500));
        assert!(turn.update(SENT + 160, RECEIVED + 1000));
    }

    #[test]
    fn a_connection_taken_over_counts_what_is_answered_from_then_on() {
        let mut idle = Turn::resumed(SENT, RECEIVED, false);
        assert!(!idle.update(SENT, RECEIVED + 5));
        assert!(idle.update(SENT + 9, RECEIVED + 9));
        let mut pending = Turn::resumed(SENT, RECEIVED, true);
        assert!(pending.update(SENT, RECEIVED + 5));
        assert!(!pending.update(SENT, RECEIVED + 9));
    }

    #[test]
    fn an_alert_behind_an_open_question_does_not_hide_it() {
        let mut turn = begun();
        turn.exclude(SENT + 100, 31);
        assert!(turn.update(SENT + 131, RECEIVED + 1));
    }

    #[test]
    fn an_announcement_is_no_answer() {
        let mut turn = begun();
        turn.ask(SENT, RECEIVED);
        turn.defer_answer(RECEIVED + 25);
        assert!(!turn.update(SENT + 80, RECEIVED + 25), "100 Continue");
        assert!(turn.update(SENT + 90_000, RECEIVED + 26));
    }

    #[test]
    fn an_answer_that_is_read_while_a_send_is_still_taken_is_one() {
        let mut turn = Turn::EMPTY;
        assert_eq!(turn.begin_chunk(0, 5_000_000), Chunk::Begins);
        turn.ask(0, 0);
        let exchanges = (1..10).filter(|n| {
            assert_eq!(turn.begin_chunk(n * 500_000, 5_000_000 - *n as u32 * 500_000), Chunk::Continues);
            turn.update(n * 500_000, n * 100)
        });
        assert_eq!(exchanges.count(), 1);
        assert!(!turn.has_open_ask(5_000_000), "the next send is another question");
    }

    #[test]
    fn an_upload_beyond_2_and_4_gib_is_one_question() {
        for gib in [3_u64, 5, 9] {
            let mut turn = Turn::EMPTY;
            turn.ask(0, 0);
            assert!(!turn.update(gib << 30, 0));
            assert!(turn.has_open_ask(gib << 30));
            assert!(turn.update(gib << 30, 40), "{gib} GiB");
            assert!(!turn.update(gib << 30, 80));
        }
    }

    #[test]
    fn chunks_and_retries_of_one_send_continue_it() {
        let mut turn = begun();
        assert_eq!(turn.begin_chunk(SENT, 517), Chunk::Begins);
        assert_eq!(turn.begin_chunk(SENT + 300, 217), Chunk::Continues, "the second chunk");
        assert_eq!(turn.begin_chunk(SENT + 300, 217), Chunk::Continues, "the same chunk after a wait for memory");
        assert_eq!(turn.begin_chunk(SENT + 517, 217), Chunk::Begins, "a new send of the same length");
        assert_eq!(turn.begin_chunk(SENT + 734, 10), Chunk::Begins);
        assert_eq!(turn.begin_chunk(SENT + 800, 10), Chunk::BeginsAfterUnseen);
    }
}
