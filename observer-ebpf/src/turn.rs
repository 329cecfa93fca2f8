//! The counting rule: when has a connection carried one more exchange?
//!
//! It counts from the socket's own sequence numbers, not from having seen an event, because the kernel silently skips
//! tracing programs now and then. A hook is only a moment to look: a look that was skipped is made good by the next one,
//! and looking twice counts once.
//!
//! - *asked*: the application has written payload since the last counted exchange (`write_seq` moved);
//! - *answered*: after that it has consumed payload (`copied_seq` moved).
//!
//! Asked and answered is one exchange. What a TLS handshake writes is excused: it asks nothing.
//!
//! Plain functions over plain numbers, built for the kernel and for the host alike, so that they can be tested here.

/// How many of a send's first bytes are looked at: enough for a TLS record type and version, or HTTP/2's preface.
pub const HEAD_BYTES: usize = 4;

/// A change cipher spec with the Finished that follows it is at most this long (TLS 1.3 with SHA-384: 6 + 5 + 69
/// bytes); a send that starts with one and is longer carries the first request as well.
const MAX_FINISHED_BYTES: u32 = 80;

const TLS_CHANGE_CIPHER_SPEC: u8 = 0x14;
const TLS_ALERT: u8 = 0x15;
const TLS_HANDSHAKE: u8 = 0x16;
const TLS_APPLICATION_DATA: u8 = 0x17;

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
}

const _: () = assert!(size_of::<Turn>() == 16);

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

/// What the first bytes of a send say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// TLS, and no application data: handshake, alert, or change cipher spec.
    TlsSetup,
    /// TLS application data.
    TlsData,
    /// HTTP/2's connection preface in the clear.
    Http2Preface,
    /// Anything else.
    Other,
}

impl Head {
    /// Reads the first bytes of a send of `len` bytes. Bytes beyond `len` must be zero.
    #[inline(always)]
    #[must_use]
    pub fn of(bytes: [u8; HEAD_BYTES], len: u32) -> Self {
        // RFC 8446 section 5.1 and RFC 5246 section 6.2.1: type, then the major version, which is 3 in all of them.
        if bytes[1] == 3 {
            match bytes[0] {
                TLS_HANDSHAKE | TLS_ALERT => return Self::TlsSetup,
                TLS_CHANGE_CIPHER_SPEC if len <= MAX_FINISHED_BYTES => return Self::TlsSetup,
                TLS_CHANGE_CIPHER_SPEC | TLS_APPLICATION_DATA => return Self::TlsData,
                _ => {}
            }
        }
        // RFC 9113 section 3.4: "PRI * HTTP/2.0". No HTTP/1 method begins so.
        if bytes[0] == b'P' && bytes[1] == b'R' && bytes[2] == b'I' && bytes[3] == b' ' {
            return Self::Http2Preface;
        }
        Self::Other
    }
}

impl Turn {
    /// Before the handshake is through.
    pub const EMPTY: Self = Self { settled: 0, consumed: 0, burst_seq: 0, burst_left: 0 };

    /// A connection on which nothing has been asked: `first_sent` and `first_received` are the sequence numbers of the
    /// first payload byte in each direction.
    #[inline(always)]
    #[must_use]
    pub fn new(first_sent: u32, first_received: u32) -> Self {
        Self { settled: first_sent, consumed: first_received, burst_seq: first_sent, burst_left: 0 }
    }

    /// A connection first seen in mid-life, as it is then; `is_pending`: what was asked last is not answered yet.
    #[inline(always)]
    #[must_use]
    pub fn resumed(written: u32, consumed: u32, is_pending: bool) -> Self {
        let settled = written.wrapping_sub(u32::from(is_pending));
        Self { settled, consumed, burst_seq: written, burst_left: 0 }
    }

    /// Looks at the socket: `written` is the end of what the application wrote (its FIN not counted), `consumed` the end
    /// of what it read (the peer's FIN not counted). True when one more exchange is complete.
    #[inline(always)]
    pub fn look(&mut self, written: u32, consumed: u32) -> bool {
        if consumed == self.consumed {
            return false;
        }
        self.consumed = consumed;
        if !self.asked(written) {
            return false;
        }
        self.settled = written;
        true
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

    #[test]
    fn request_and_answer_are_one_exchange_however_often_looked_at() {
        let mut turn = Turn::new(SENT, RECEIVED);
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
        let mut turn = Turn::new(SENT, RECEIVED);
        assert!(!turn.look(SENT, RECEIVED.wrapping_add(30)), "a greeting");
        assert!(turn.look(SENT.wrapping_add(5), RECEIVED.wrapping_add(60)));
    }

    #[test]
    fn a_question_without_an_answer_is_no_exchange() {
        let mut turn = Turn::new(SENT, RECEIVED);
        assert!(!turn.look(SENT.wrapping_add(5), RECEIVED));
        assert!(turn.asked(SENT.wrapping_add(5)));
    }

    #[test]
    fn a_skipped_receive_is_made_good_by_the_look_of_the_next_send() {
        let mut turn = Turn::new(SENT, RECEIVED);
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
    fn a_tls_handshake_asks_nothing() {
        let mut turn = Turn::new(SENT, RECEIVED);
        let (mut sent, mut received) = (SENT, RECEIVED);
        for (head, len) in [(*b"\x16\x03\x01\x02", 517), (*b"\x14\x03\x03\x00", 64)] {
            assert_eq!(turn.send(sent, len), Burst::Begins);
            assert_eq!(Head::of(head, len), Head::TlsSetup);
            turn.excuse(sent, len);
            sent = sent.wrapping_add(len);
            received = received.wrapping_add(1200);
            assert!(!turn.look(sent, received));
        }
        assert_eq!(turn.send(sent, 120), Burst::Begins);
        sent = sent.wrapping_add(120);
        assert!(turn.look(sent, received.wrapping_add(300)));
    }

    #[test]
    fn a_finished_that_carries_the_first_request_asks() {
        assert_eq!(Head::of(*b"\x14\x03\x03\x00", 80), Head::TlsSetup);
        assert_eq!(Head::of(*b"\x14\x03\x03\x00", 81), Head::TlsData);
    }

    #[test]
    fn an_alert_behind_an_open_question_does_not_hide_it() {
        let mut turn = Turn::new(SENT, RECEIVED);
        let sent = SENT.wrapping_add(100);
        turn.excuse(sent, 31);
        assert!(turn.look(sent.wrapping_add(31), RECEIVED.wrapping_add(1)));
    }

    #[test]
    fn chunks_and_retries_of_one_send_continue_it() {
        let mut turn = Turn::new(SENT, RECEIVED);
        assert_eq!(turn.send(SENT, 517), Burst::Begins);
        assert_eq!(turn.send(SENT.wrapping_add(300), 217), Burst::Continues, "the second chunk");
        assert_eq!(turn.send(SENT.wrapping_add(300), 217), Burst::Continues, "the same chunk after a wait for memory");
        assert_eq!(turn.send(SENT.wrapping_add(517), 217), Burst::Begins, "a new send of the same length");
        assert_eq!(turn.send(SENT.wrapping_add(734), 10), Burst::Begins);
        assert_eq!(turn.send(SENT.wrapping_add(800), 10), Burst::BeginsAfterUnseen);
    }

    #[test]
    fn heads_are_told_apart() {
        assert_eq!(Head::of(*b"\x17\x03\x03\x01", 400), Head::TlsData);
        assert_eq!(Head::of(*b"\x15\x03\x03\x00", 31), Head::TlsSetup);
        assert_eq!(Head::of(*b"PRI ", 24), Head::Http2Preface);
        assert_eq!(Head::of(*b"GET ", 80), Head::Other);
        assert_eq!(Head::of(*b"\x16\0\0\0", 1), Head::Other);
        assert_eq!(Head::of([0; 4], 0), Head::Other);
    }
}
