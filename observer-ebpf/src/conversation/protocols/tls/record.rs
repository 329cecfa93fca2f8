//! Record headers.

use crate::conversation::{Head, turn::TLS_HEADER_BYTES};

pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;

/// A hello is longer than this, and TLS 1.2's encrypted Finished is shorter.
const MAX_FINISHED12_BYTES: u32 = 100;

/// A record's header.
#[derive(Clone, Copy)]
pub(super) struct Record {
    pub(super) kind: u8,
    /// Length without the header.
    pub(super) len: u32,
    /// Type of the handshake message, if in the clear.
    pub(super) message: u8,
}

/// Whether a record begins here.
#[inline(always)]
pub(in crate::conversation) fn is_record(head: Head) -> bool {
    matches!(head.byte(0), CHANGE_CIPHER_SPEC..=APPLICATION_DATA) && head.byte(1) == 3 && head.len >= TLS_HEADER_BYTES
}

/// Whether a hello begins here, which begins TLS.
#[inline(always)]
pub(in crate::conversation) fn is_hello(head: Head) -> bool {
    is_record(head) && head.byte(0) == HANDSHAKE && head.byte(2) != 0 && Record::of(head).is_hello()
}

impl Record {
    #[inline(always)]
    pub(super) fn of(head: Head) -> Self {
        Self { kind: head.byte(0), len: head.u16_at(3), message: head.byte(5) }
    }

    /// Whether this is a hello and not an encrypted Finished with the same first byte.
    #[inline(always)]
    pub(super) fn is_hello(self) -> bool {
        self.message == 1 && self.len > MAX_FINISHED12_BYTES
    }
}
