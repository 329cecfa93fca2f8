//! The counting rule: when has a connection carried one more exchange?
//!
//! It counts from the socket's own sequence numbers, not from having seen an event, because the kernel silently skips
//! tracing programs now and then. A hook is only a moment to look: a look that was skipped is made good by the next one,
//! and looking twice counts once.
//!
//! - *asked*: the application has written payload since the last counted exchange (`write_seq` moved);
//! - *answered*: after that it has consumed payload (`copied_seq` moved) that had not come yet when it asked.
//!
//! Asked and answered is one exchange. What sets a connection up (a TLS handshake, a login) is excused: it asks nothing.
//! Which sends those are, `conversation.rs` knows.
//!
//! Plain functions over plain numbers, built for the kernel and for the host alike, so that they can be tested here.

/// Where a connection stands between asking and being answered. All sequence numbers wrap at 2^32.
#[repr(C)]
#[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// What was written up to here is counted, or asked nothing.
    settled: u32,
    /// What was consumed at the last look.
    consumed: u32,
    /// Where the last seen chunk of a send began, and how many bytes that send still held then.
    burst_seq: u32,
    burst_left: u32,
    /// What had come when it was asked: the answer is behind it.
    asked_at: u32,
    /// Where the answer began that was counted last.
    answer_from: u32,
    /// How much of it was consumed between the last two looks, and in the read before that was no header of TLS.
    last_read: u32,
    read_before: u32,
    /// In how many reads it was consumed.
    reads: u32,
}

const _: () = assert!(size_of::<Turn>() == 36);

/// Type and length of a record come first (RFC 8446 section 5.1).
pub(crate) const TLS_HEADER_BYTES: u32 = 5;

/// What a chunk of a send is to the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Burst {
    /// The same send goes on: its first bytes were seen already.
    Continues,
    /// A send begins here.
    Begins,
    /// A send begins here, and bytes before it were written that no hook saw.
    BeginsAfterUnseen,
}

impl Turn {
    /// Before the handshake is through: sequence numbers count from 0.
    pub const EMPTY: Self = Self {
        settled: 0,
        consumed: 0,
        burst_seq: 0,
        burst_left: 0,
        asked_at: 0,
        answer_from: 0,
        last_read: 0,
        read_before: 0,
        reads: 0,
    };

    /// The handshake is through: `first_sent` and `first_received` are the sequence numbers of the first payload byte in
    /// each direction. What was sent within the SYN stays as it was heard.
    #[inline(always)]
    pub fn begin(&mut self, first_sent: u32, first_received: u32) {
        self.settled = self.settled.wrapping_add(first_sent);
        self.burst_seq = self.burst_seq.wrapping_add(first_sent);
        self.consumed = first_received;
        self.asked_at = first_received;
        self.answer_from = first_received;
    }

    /// A connection first seen in mid-life, as it is then; `is_pending`: what was asked last is not answered yet.
    #[inline(always)]
    #[must_use]
    pub fn resumed(written: u32, consumed: u32, is_pending: bool) -> Self {
        let settled = written.wrapping_sub(u32::from(is_pending));
        Self { settled, consumed, burst_seq: written, asked_at: consumed, answer_from: consumed, ..Self::EMPTY }
    }

    /// Looks at the socket: `written` is the end of what the application wrote (its FIN not counted), `consumed` the end
    /// of what it read (the peer's FIN not counted). True when one more exchange is complete.
    #[inline(always)]
    pub fn look(&mut self, written: u32, consumed: u32) -> bool {
        if consumed == self.consumed {
            return false;
        }
        let before = self.consumed;
        self.consumed = consumed;
        if self.last_read != TLS_HEADER_BYTES {
            self.read_before = self.last_read;
        }
        self.last_read = consumed.wrapping_sub(before);
        self.reads = self.reads.wrapping_add(1);
        if !self.asked(written) || !is_after(consumed, self.asked_at) {
            return false;
        }
        self.settled = written;
        // What had come before is no part of it.
        self.answer_from = if is_after(self.asked_at, before) { self.asked_at } else { before };
        self.reads = 1;
        true
    }

    /// A send begins at `seq`. If it asks, its answer is behind `received`, the end of what has come by now.
    #[inline(always)]
    pub fn ask(&mut self, seq: u32, received: u32) {
        if !self.asked(seq) {
            self.asked_at = received;
        }
    }

    /// What is read from here on is no part of a handshake.
    #[inline(always)]
    pub(crate) fn await_answer(&mut self) {
        self.answer_from = self.consumed;
    }

    /// Bytes of the answer that was counted last, as far as it was read.
    #[inline(always)]
    #[must_use]
    pub(crate) fn answer_bytes(&self) -> u32 {
        self.consumed.wrapping_sub(self.answer_from)
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
        let record = self.last_read.wrapping_add(TLS_HEADER_BYTES);
        self.reads == 2 && self.answer_bytes() == record
            || self.reads == 4 && self.answer_bytes() == 2 * record && self.last_read == self.read_before
    }

    /// Whether something was asked that has not been counted.
    #[inline(always)]
    #[must_use]
    pub fn asked(&self, written: u32) -> bool {
        is_after(written, self.settled)
    }

    /// Whether the application has consumed something since the last look.
    #[inline(always)]
    #[must_use]
    pub fn has_consumed(&self, consumed: u32) -> bool {
        consumed != self.consumed
    }

    /// Counts what was asked without an answer (the one exchange of a connection that only ever sends).
    #[inline(always)]
    pub fn settle(&mut self, written: u32) {
        self.settled = written;
    }

    /// A chunk of a send is about to be written at `seq`, of which `left` bytes are still to go.
    ///
    /// The kernel may take one send in several chunks (the tracepoint `tcp_sendmsg_locked` fires for each), and an
    /// application may retry the rest of a short one. It goes on if and only if what was written since is exactly what
    /// the send has shrunk by.
    #[inline(always)]
    pub fn send(&mut self, seq: u32, left: u32) -> Burst {
        let written = seq.wrapping_sub(self.burst_seq);
        let continues = self.burst_left >= left && self.burst_left - left == written && self.burst_left != 0;
        let unseen = is_after(seq, self.burst_seq.wrapping_add(self.burst_left));
        self.burst_seq = seq;
        self.burst_left = left;
        match (continues, unseen) {
            (true, _) => Burst::Continues,
            (false, true) => Burst::BeginsAfterUnseen,
            (false, false) => Burst::Begins,
        }
    }

    /// The send that begins at `seq` with `len` bytes asks nothing, unless something before it did.
    #[inline(always)]
    pub fn excuse(&mut self, seq: u32, len: u32) {
        if !self.asked(seq) {
            self.settled = seq.wrapping_add(len);
        }
    }
}

/// Whether sequence number `a` comes after `b` (`after()` of include/net/tcp.h).
#[inline(always)]
fn is_after(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).cast_signed() > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sequence numbers just below the wrap, where a mistake would show.
    const SENT: u32 = u32::MAX - 40;
    const RECEIVED: u32 = u32::MAX - 5;

    fn begun() -> Turn {
        let mut turn = Turn::EMPTY;
        turn.begin(SENT, RECEIVED);
        turn
    }

    #[test]
    fn request_and_answer_are_one_exchange_however_often_looked_at() {
        let mut turn = begun();
        let (mut sent, mut received) = (SENT, RECEIVED);
        let mut exchanges = 0;
        for _ in 0..10 {
            sent = sent.wrapping_add(80);
            exchanges += u32::from(turn.look(sent, received));
            for _ in 0..3 {
                received = received.wrapping_add(500);
                exchanges += u32::from(turn.look(sent, received));
                exchanges += u32::from(turn.look(sent, received));
            }
        }
        assert_eq!(exchanges, 10);
    }

    #[test]
    fn an_answer_nobody_asked_for_is_no_exchange() {
        let mut turn = begun();
        assert!(!turn.look(SENT, RECEIVED.wrapping_add(30)), "a greeting");
        assert!(turn.look(SENT.wrapping_add(5), RECEIVED.wrapping_add(60)));
    }

    #[test]
    fn a_question_without_an_answer_is_no_exchange() {
        let mut turn = begun();
        assert!(!turn.look(SENT.wrapping_add(5), RECEIVED));
        assert!(turn.asked(SENT.wrapping_add(5)));
    }

    #[test]
    fn a_skipped_receive_is_made_good_by_the_look_of_the_next_send() {
        let mut turn = begun();
        let sent = SENT.wrapping_add(80);
        // The answer to the first request was read unseen; the second send looks before its bytes are added.
        assert!(turn.look(sent, RECEIVED.wrapping_add(500)));
        assert!(turn.look(sent.wrapping_add(80), RECEIVED.wrapping_add(1000)));
    }

    #[test]
    fn a_connection_taken_over_counts_what_is_answered_from_then_on() {
        let mut idle = Turn::resumed(SENT, RECEIVED, false);
        assert!(!idle.look(SENT, RECEIVED.wrapping_add(5)));
        assert!(idle.look(SENT.wrapping_add(9), RECEIVED.wrapping_add(9)));
        let mut pending = Turn::resumed(SENT, RECEIVED, true);
        assert!(pending.look(SENT, RECEIVED.wrapping_add(5)));
        assert!(!pending.look(SENT, RECEIVED.wrapping_add(9)));
    }

    #[test]
    fn an_alert_behind_an_open_question_does_not_hide_it() {
        let mut turn = begun();
        let sent = SENT.wrapping_add(100);
        turn.excuse(sent, 31);
        assert!(turn.look(sent.wrapping_add(31), RECEIVED.wrapping_add(1)));
    }

    #[test]
    fn chunks_and_retries_of_one_send_continue_it() {
        let mut turn = begun();
        assert_eq!(turn.send(SENT, 517), Burst::Begins);
        assert_eq!(turn.send(SENT.wrapping_add(300), 217), Burst::Continues, "the second chunk");
        assert_eq!(turn.send(SENT.wrapping_add(300), 217), Burst::Continues, "the same chunk after a wait for memory");
        assert_eq!(turn.send(SENT.wrapping_add(517), 217), Burst::Begins, "a new send of the same length");
        assert_eq!(turn.send(SENT.wrapping_add(734), 10), Burst::Begins);
        assert_eq!(turn.send(SENT.wrapping_add(800), 10), Burst::BeginsAfterUnseen);
    }
}
