//! The client's handshake, record by record.

use super::record::{APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Record, is_hello, is_record};
use crate::conversation::{
    Conversation,
    Exactness::{self, Exact, Inexact},
    Message, Send, traits,
    turn::TLS_HEADER_BYTES,
};

/// Number of records in one send that are inspected. A client certificate makes five.
const MAX_RECORDS: u32 = 6;

/// Lengths of TLS 1.3's encrypted Finished: message header 4, hash 32 or 48, type 1, tag 16. No other client message
/// has these lengths: a certificate with its verification is longer, and the end of early data shorter.
const FINISHED_BYTES: [u32; 2] = [53, 69];

/// Bits of [`Conversation::protocol_traits`] in TLS 1.3: this send has the client's certificate, or an earlier one had
/// it. BoringSSL, NSS and rustls put Finished into the same record; others send each by itself.
const FLIGHT: u8 = 1;
const FLIGHT_SENT: u8 = 1 << 1;

/// Finished came in a later send, or that send was a request of the same size.
pub(super) const MAY_HAVE_ASKED: u8 = 1 << 2;

/// Length of TLS 1.2's Finished with ChaCha20. With GCM it is longer by each record's 8 bytes of nonce.
const CHACHA_FINISHED_BYTES: u32 = 32;

const CHANGE_CIPHER_SPEC_BYTES: u32 = 6;

impl Conversation {
    /// Inspects a send before the handshake has ended. `send` becomes the part after the handshake.
    #[inline(always)]
    pub fn inspect_handshake(&mut self, message: &mut impl Message, send: &mut Send) -> Exactness {
        // Unseen bytes may not have been data.
        let seen = if send.after_unseen { Inexact } else { Exact };
        if is_hello(message.last_head()) && !self.has(traits::HELLO_SEEN) {
            self.inspect_hello(message);
        }
        let exactness = seen.and(self.walk_records(message, send));
        if self.has(traits::FINISHED) {
            self.turn.restart_answer();
            if self.has(traits::HTTP2_OFFERED) && !self.has(traits::HTTP1_OFFERED) {
                // Nothing else was offered (gRPC).
                send.len = 0;
                return self.begin_http2();
            }
        }
        exactness
    }

    /// Walks the handshake's records, regardless of send boundaries. `data` becomes the part after the handshake, and
    /// the last head is its beginning.
    #[inline(always)]
    fn walk_records(&mut self, message: &mut impl Message, data: &mut Send) -> Exactness {
        let send = *data;
        let mut is_inexact = 0;
        let mut asks = 0;
        // Shorter if no hook saw some records.
        let mut offset = self.frame_end.saturating_sub(send.at) as u32;
        for _ in 0..MAX_RECORDS {
            if offset >= send.len {
                break;
            }
            let head = message.head(offset);
            if self.has(traits::FINISHED) {
                break;
            }
            if !is_record(head) {
                // Not TLS after all.
                self.traits |= traits::FINISHED;
                is_inexact = 1;
                break;
            }
            let record = Record::of(head);
            if record.kind == APPLICATION_DATA && self.has(traits::TLS12) {
                // No hook saw Finished, and this is data.
                self.traits |= traits::FINISHED;
                break;
            }
            if self.has_sent_flight() && record.kind == APPLICATION_DATA {
                // Finished by itself, or data after a Finished in the certificate's record. If the server has sent
                // something in between, it is data.
                let has_read = self.turn.answer_bytes() > 0;
                self.traits |= traits::FINISHED;
                if has_read || !FINISHED_BYTES.contains(&record.len) {
                    is_inexact |= u32::from(!has_read);
                    break;
                }
                self.protocol_traits |= MAY_HAVE_ASKED;
            } else if record.kind == APPLICATION_DATA && self.turn.answer_bytes() == 0 {
                // Early data (0-RTT), which is sent again if the server refuses it.
                self.turn.exclude(send.at, offset);
                asks = 1;
                is_inexact = 1;
            } else {
                self.inspect_handshake_record(record, send.len);
            }
            offset = message.opaque(offset.wrapping_add(TLS_HEADER_BYTES + record.len));
            is_inexact = message.opaque(is_inexact);
            asks = message.opaque(asks);
        }
        self.frame_end = send.at + u64::from(offset);
        if self.protocol_traits & FLIGHT != 0 {
            self.protocol_traits = FLIGHT_SENT;
            // Bytes read from here on come after the certificate.
            self.turn.restart_answer();
        }
        if offset < send.len {
            data.skip(offset);
            if !self.has(traits::FINISHED) {
                // More records than any handshake has.
                self.traits |= traits::FINISHED;
                data.len = 0;
                is_inexact = 1;
            }
        } else {
            offset = send.len;
            data.len = 0;
        }
        if asks == 0 {
            self.turn.exclude(send.at, offset);
        }
        if is_inexact == 0 { Exact } else { Inexact }
    }

    /// Inspects one handshake record in a send of `len` bytes, and notes how far the handshake has come.
    #[inline(always)]
    fn inspect_handshake_record(&mut self, record: Record, len: u32) {
        match record.kind {
            CHANGE_CIPHER_SPEC => {
                let is_alone = len == CHANGE_CIPHER_SPEC_BYTES;
                self.traits |= traits::CIPHER_CHANGED | if is_alone { traits::PADDED } else { 0 };
            }
            // A second hello after a retry. Go also sends its change cipher spec alone before that.
            HANDSHAKE if record.is_hello() => self.traits &= !traits::PADDED,
            // After the cipher change this is TLS 1.2's Finished.
            HANDSHAKE if self.has(traits::CIPHER_CHANGED) => {
                let is_chacha = record.len == CHACHA_FINISHED_BYTES;
                self.traits |= traits::TLS12 | traits::FINISHED | if is_chacha { traits::CHACHA } else { 0 };
            }
            HANDSHAKE => self.traits |= traits::TLS12,
            APPLICATION_DATA if FINISHED_BYTES.contains(&record.len) => self.traits |= traits::FINISHED,
            // TLS 1.3: the client's certificate, alone or with everything that follows it. Java sends each message by
            // itself.
            APPLICATION_DATA if record.len > FINISHED_BYTES[0] && !self.has(traits::PADDED) => {
                self.protocol_traits |= FLIGHT;
            }
            // An alert.
            _ => {}
        }
    }

    /// TLS 1.3: whether an earlier send had the client's certificate.
    #[inline(always)]
    fn has_sent_flight(&self) -> bool {
        self.protocol_traits & FLIGHT_SENT != 0
    }

    /// Whether the assumed Finished may have been a request that the bytes read since have answered. If data was sent
    /// before anything was read, it was Finished.
    #[inline(always)]
    pub(super) fn may_have_been_answered(&self) -> bool {
        self.protocol_traits & MAY_HAVE_ASKED != 0 && self.turn.answer_bytes() > 0
    }

    /// Whether a request may have been taken for a part of the handshake.
    #[inline(always)]
    pub(in crate::conversation) fn may_have_asked(&self) -> bool {
        self.has_sent_flight() && !self.has(traits::FINISHED) || self.may_have_been_answered()
    }
}
