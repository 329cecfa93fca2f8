//! MQTT: CONNECT, and what follows it is acknowledged or not, in any order. MQTT 3.1.1 and 5.0, section 3.1.

use super::{Head, Message, Send};

const CONNECT: u8 = 0x10;

/// The packet's type, its remaining length in one or two bytes, and the protocol's name behind its own length.
#[inline(always)]
pub(super) fn begins(head: Head, _: Send) -> bool {
    head.byte(0) == CONNECT && (is_name(head, 2) || head.byte(1) >= 0x80 && is_name(head, 3))
}

#[inline(always)]
fn is_name(head: Head, at: u32) -> bool {
    head.has(at, b"\0\x04MQTT") || head.has(at, b"\0\x06MQIsdp")
}

#[inline(always)]
pub(super) fn sets_up(_: &mut impl Message, head: Head, _: u32) -> bool {
    head.byte(0) == CONNECT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::{first, head_of, sets_up_with};

    #[test]
    fn connect_sets_up() {
        let connect = b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04abcd";
        let long = [b"\x10\x94\x02\0\x04MQTT\x05".as_slice(), &[0; 260]].concat();
        let old = b"\x10\x12\0\x06MQIsdp\x03\x02\0\x3c\0\x04abcd";
        for packet in [connect.as_slice(), &long, old] {
            assert!(begins(head_of(packet), first(packet)) && sets_up_with(sets_up, packet));
        }
        assert!(!sets_up_with(sets_up, b"\x30\x07\0\x01ajob!"), "PUBLISH");
    }
}
