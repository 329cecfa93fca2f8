//! LDAP: BER messages. A connection binds, perhaps after StartTLS, before it searches. RFC 4511 section 4.

use crate::conversation::{Head, Message, Send};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 2;

/// Operations by tag: bind, unbind (unanswered), and extended operations such as StartTLS.
const BIND: u8 = 0x60;
const UNBIND: u8 = 0x42;
const EXTENDED: u8 = 0x77;
const SEARCH: u8 = 0x63;

/// The operation tag of a message of `len` bytes. 0 if these bytes are no message. Before the tag come the length, in
/// one byte or in a byte count and that many bytes, and the message id of up to four bytes.
#[inline(always)]
fn operation(head: Head, len: u32) -> u8 {
    if head.byte(0) != SEQUENCE {
        return 0;
    }
    let short = u32::from(head.byte(1));
    match head.byte(1) {
        0x81 if u32::from(head.byte(2)) + 3 == len => numbered(head.word_at(3)),
        0x82 if head.u16_at(2) + 4 == len => numbered(head.word_at(4)),
        0x84 if head.u32_at(2).wrapping_add(6) == len => numbered(head.word_at(6)),
        _ if short < 0x80 && short + 2 == len => numbered(head.word_at(2)),
        _ => 0,
    }
}

/// The byte after an integer.
#[inline(always)]
fn numbered(word: u64) -> u8 {
    let bytes = (word >> 48) as u8;
    if (word >> 56) as u8 != INTEGER || bytes == 0 || bytes > 4 {
        0
    } else {
        (word >> (40 - 8 * u32::from(bytes))) as u8
    }
}

#[inline(always)]
pub(in crate::conversation) fn begins(head: Head, send: Send) -> bool {
    matches!(operation(head, send.len), BIND | EXTENDED | SEARCH)
}

#[inline(always)]
pub(in crate::conversation) fn sets_up(_: &mut impl Message, head: Head, len: u32) -> bool {
    matches!(operation(head, len), BIND | UNBIND | EXTENDED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::{first, head_of, sets_up_with};

    #[test]
    fn binds_set_up() {
        // RFC 4511's one-byte form, and the longer forms that OpenLDAP and Active Directory send.
        let bind = b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00";
        let long = b"\x30\x84\x00\x00\x00\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00";
        for message in [bind.as_slice(), long] {
            assert!(begins(head_of(message), first(message)) && sets_up_with(sets_up, message));
        }
        let search = [b"\x30\x81\x85\x02\x02\x01\x00\x63".as_slice(), &[0; 128]].concat();
        assert!(begins(head_of(&search), first(&search)) && !sets_up_with(sets_up, &search));
        assert!(!begins(head_of(&search), Send { len: 500, ..first(&search) }));
    }
}
