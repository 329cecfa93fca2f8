//! DNS: length-prefixed queries, pipelined and answered in any order. RFC 1035 section 4.2.2, RFC 7766.

use crate::conversation::{Head, Message, Send};

/// Flag bits that a query leaves 0: response, opcode, and the reserved bit.
const NO_QUERY: u32 = 0b1111_1000_0100_0000;

/// Length 2, id 2, flags 2, then the section counts: one question and no answer.
#[inline(always)]
pub(in crate::conversation) fn begins(head: Head, send: Send) -> bool {
    head.len >= 14
        && head.u16_at(0) + 2 <= send.len
        && head.u16_at(0) > 12
        && head.u16_at(4) & NO_QUERY == 0
        && head.has(6, b"\0\x01\0\0\0\0\0")
        && head.byte(13) <= 2
}

#[inline(always)]
pub(in crate::conversation) fn sets_up(_: &mut impl Message, _: Head, _: u32) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::{first, head_of};

    #[test]
    fn query_is_recognised() {
        let query = b"\0\x1d\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03org\0\0\x01\0\x01";
        assert!(begins(head_of(query), first(query)));
        let mut answer = *query;
        answer[4] |= 0x80;
        assert!(!begins(head_of(&answer), first(&answer)));
    }
}
