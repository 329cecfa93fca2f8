//! The counting rule: when has a connection carried one more exchange?
//!
//! The rule reads the socket's own sequence numbers and does not count events, because the kernel sometimes skips
//! tracing programs silently. A hook is only an occasion to update: the next update compensates for a skipped one, and
//! a repeated update counts nothing.
//!
//! - *asked*: the application has written payload since the last counted exchange;
//! - *answered*: it has then consumed payload that arrived after the ask.
//!
//! Asked and answered is one exchange. Set-up (a TLS handshake, a login) is excluded, because it asks nothing.
//! `conversation.rs` knows which sends are set-up.
//!
//! All positions are bytes of payload since the connection began, in 64 bits. The socket's sequence numbers wrap at 4
//! GiB, and their difference is ambiguous from 2 GiB on, which a single upload can exceed.
//!
//! The functions are plain and build for the kernel and the host, so they are tested here.

mod chunk;
mod position;
mod unseen;

pub use chunk::Chunk;
pub use position::{consumed_bytes, written_bytes};

/// Where a connection stands between asking and being answered.
#[repr(C)]
#[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Bytes up to here are counted or ask nothing.
    accounted: u64,
    /// Position consumed at the last update.
    consumed: u64,
    /// Start of the last seen chunk of a send.
    chunk_at: u64,
    /// End of the payload that had arrived at the ask. The answer comes after it.
    asked_at: u64,
    /// Start of the answer that was counted last.
    answer_from: u64,
    /// Bytes left of the last seen send at that chunk.
    chunk_left: u32,
    /// Bytes of the answer consumed between the last two updates, and in the last earlier read that was not a TLS
    /// header.
    last_read: u32,
    read_before: u32,
    /// Number of reads that consumed the answer.
    reads: u16,
    /// Bits of [`unseen`].
    unseen: u8,
    /// 1 once the last seen send is known to ask. A read may answer it before all of it is written.
    is_in_flight: u8,
}

const _: () = assert!(size_of::<Turn>() == 56);

/// A record's type, version and length (RFC 8446 section 5.1).
pub(crate) const TLS_HEADER_BYTES: u32 = 5;

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

    /// A pre-existing connection. `is_pending` means that its last ask is unanswered.
    #[inline(always)]
    #[must_use]
    pub fn resumed(written: u64, consumed: u64, is_pending: bool) -> Self {
        let accounted = written.wrapping_sub(u64::from(is_pending));
        Self { accounted, consumed, chunk_at: written, asked_at: consumed, answer_from: consumed, ..Self::EMPTY }
    }

    /// Updates from the socket's positions: bytes `written` and `consumed` by the application, both without a FIN.
    /// Returns true when one more exchange is complete.
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
        // Bytes that had arrived before the ask are no part of the answer.
        self.answer_from = if self.asked_at > before { self.asked_at } else { before };
        self.reads = 1;
        true
    }

    /// Notes a send that begins at `at`. If it asks, its answer comes after `received`, the end of the payload that has
    /// arrived.
    #[inline(always)]
    pub fn ask(&mut self, at: u64, received: u64) {
        if !self.has_open_ask(at) {
            self.asked_at = received;
            self.unseen = 0;
        }
        self.is_in_flight = 1;
    }

    /// Bytes read up to `consumed` only announce the answer (`100 Continue`).
    #[inline(always)]
    pub(crate) fn defer_answer(&mut self, consumed: u64) {
        if self.asked_at < consumed {
            self.asked_at = consumed;
        }
    }

    /// Bytes read from here on are no part of a handshake.
    #[inline(always)]
    pub(crate) fn restart_answer(&mut self) {
        self.answer_from = self.consumed;
    }

    /// Bytes read so far of the answer that was counted last.
    #[inline(always)]
    #[must_use]
    pub(crate) fn answer_bytes(&self) -> u64 {
        self.consumed.wrapping_sub(self.answer_from)
    }

    /// Where the answer begins or continues in the next read.
    #[inline(always)]
    #[must_use]
    pub(crate) fn answer_due_from(&self) -> u64 {
        if self.asked_at > self.consumed { self.asked_at } else { self.consumed }
    }

    /// Position consumed at the last update.
    #[inline(always)]
    #[must_use]
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Length of the last read.
    #[inline(always)]
    #[must_use]
    pub(crate) fn last_read_bytes(&self) -> u32 {
        self.last_read
    }

    /// Whether that answer was one TLS record, or two of equal length, read as OpenSSL reads: first the header, then
    /// the rest.
    #[inline(always)]
    #[must_use]
    pub(crate) fn is_answer_of_equal_records(&self) -> bool {
        let record = u64::from(self.last_read) + u64::from(TLS_HEADER_BYTES);
        self.reads == 2 && self.answer_bytes() == record || self.is_answer_of_two_records()
    }

    /// Whether that answer was two TLS records of equal length, read as OpenSSL reads.
    #[inline(always)]
    #[must_use]
    pub(crate) fn is_answer_of_two_records(&self) -> bool {
        let record = u64::from(self.last_read) + u64::from(TLS_HEADER_BYTES);
        self.reads == 4 && self.answer_bytes() == 2 * record && self.last_read == self.read_before
    }

    /// Whether an ask is not counted yet.
    #[inline(always)]
    #[must_use]
    pub fn has_open_ask(&self, written: u64) -> bool {
        written > self.accounted
    }

    /// Whether the application has consumed something since the last update.
    #[inline(always)]
    #[must_use]
    pub fn has_consumed(&self, consumed: u64) -> bool {
        consumed != self.consumed
    }

    /// Accounts for everything written, answered or not. Also the one exchange of a connection that only ever sends.
    #[inline(always)]
    pub fn account_for(&mut self, written: u64) {
        if self.unseen & (unseen::WHOLE | unseen::PART) == unseen::WHOLE {
            self.unseen |= unseen::LATE;
        }
        self.note_unseen(written);
        // The rest of a send in progress belongs to the ask.
        let seen_end = self.seen_end();
        self.accounted = if self.is_in_flight != 0 && seen_end > written { seen_end } else { written };
    }

    /// The `len` bytes at `at` belong to the previous ask, and so do unseen bytes before them.
    #[inline(always)]
    pub(crate) fn exclude_body(&mut self, at: u64, len: u32) {
        if !self.has_open_ask(at) || self.unseen == unseen::WHOLE {
            self.accounted = at + u64::from(len);
            self.unseen = 0;
        }
    }

    /// The `len` bytes at `at` ask nothing, unless bytes before them do.
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

    /// Positions beyond 32 bits, where a truncation would show.
    const SENT: u64 = (1 << 32) - 40;
    const RECEIVED: u64 = (1 << 32) - 5;

    fn resumed_turn() -> Turn {
        Turn::resumed(SENT, RECEIVED, false)
    }

    #[test]
    fn repeated_updates_count_one_exchange() {
        let mut turn = resumed_turn();
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
    fn unsolicited_answer_is_no_exchange() {
        let mut turn = resumed_turn();
        assert!(!turn.update(SENT, RECEIVED + 30), "a greeting");
        assert!(turn.update(SENT + 5, RECEIVED + 60));
    }

    #[test]
    fn unanswered_ask_is_no_exchange() {
        let mut turn = resumed_turn();
        assert!(!turn.update(SENT + 5, RECEIVED));
        assert!(turn.has_open_ask(SENT + 5));
    }

    #[test]
    fn next_send_makes_up_for_a_skipped_receive() {
        let mut turn = resumed_turn();
        // The first answer was read unseen. The second send updates before its bytes are added.
        assert!(turn.update(SENT + 80, RECEIVED + 500));
        assert!(turn.update(SENT + 160, RECEIVED + 1000));
    }

    #[test]
    fn adopted_connection_counts_later_answers() {
        let mut idle = Turn::resumed(SENT, RECEIVED, false);
        assert!(!idle.update(SENT, RECEIVED + 5));
        assert!(idle.update(SENT + 9, RECEIVED + 9));
        let mut pending = Turn::resumed(SENT, RECEIVED, true);
        assert!(pending.update(SENT, RECEIVED + 5));
        assert!(!pending.update(SENT, RECEIVED + 9));
    }

    #[test]
    fn alert_after_an_open_ask_does_not_hide_it() {
        let mut turn = resumed_turn();
        turn.exclude(SENT + 100, 31);
        assert!(turn.update(SENT + 131, RECEIVED + 1));
    }

    #[test]
    fn preliminary_answer_is_no_answer() {
        let mut turn = resumed_turn();
        turn.ask(SENT, RECEIVED);
        turn.defer_answer(RECEIVED + 25);
        assert!(!turn.update(SENT + 80, RECEIVED + 25), "100 Continue");
        assert!(turn.update(SENT + 90_000, RECEIVED + 26));
    }

    #[test]
    fn answer_read_during_a_send_counts() {
        let mut turn = Turn::EMPTY;
        assert_eq!(turn.begin_chunk(0, 5_000_000), Chunk::Begins);
        turn.ask(0, 0);
        let exchanges = (1..10).filter(|n| {
            assert_eq!(turn.begin_chunk(n * 500_000, 5_000_000 - *n as u32 * 500_000), Chunk::Continues);
            turn.update(n * 500_000, n * 100)
        });
        assert_eq!(exchanges.count(), 1);
        assert!(!turn.has_open_ask(5_000_000), "the next send is another ask");
    }

    #[test]
    fn upload_beyond_4_gib_is_one_ask() {
        for gib in [3_u64, 5, 9] {
            let mut turn = Turn::EMPTY;
            turn.ask(0, 0);
            assert!(!turn.update(gib << 30, 0));
            assert!(turn.has_open_ask(gib << 30));
            assert!(turn.update(gib << 30, 40), "{gib} GiB");
            assert!(!turn.update(gib << 30, 80));
        }
    }
}
