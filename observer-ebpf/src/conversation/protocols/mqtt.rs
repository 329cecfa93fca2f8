//! MQTT: CONNECT, followed by packets that may be acknowledged in any order. MQTT 3.1.1 and 5.0, section 3.1.

use crate::conversation::{Head, Message, Send};

const CONNECT: u8 = 0x10;
const DISCONNECT: u8 = 0xe0;

/// The packet type, the remaining length in one or two bytes, and the length-prefixed protocol name.
#[inline(always)]
pub(in crate::conversation) fn begins(head: Head, _: Send) -> bool {
    head.byte(0) == CONNECT && (is_name(head, 2) || head.byte(1) >= 0x80 && is_name(head, 3))
}

#[inline(always)]
fn is_name(head: Head, at: u32) -> bool {
    head.has(at, b"\0\x04MQTT") || head.has(at, b"\0\x06MQIsdp")
}

/// The packet's length, from its remaining length in one or two bytes. A longer packet publishes.
#[inline(always)]
fn packet_bytes(head: Head) -> u32 {
    let (low, high) = (u32::from(head.byte(1)), u32::from(head.byte(2)));
    if low < 0x80 { 2 + low } else { 3 + (low & 0x7f | high << 7) }
}

/// CONNECT with nothing after it, or DISCONNECT.
#[inline(always)]
pub(in crate::conversation) fn sets_up(_: &mut impl Message, head: Head, len: u32) -> bool {
    head.byte(0) == CONNECT && packet_bytes(head) == len || head.byte(0) == DISCONNECT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::{first, head_of, sets_up_with};

    #[test]
    fn connect_sets_up() {
        let connect = b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04abcd";
        let long = [b"\x10\x8b\x02\0\x04MQTT\x05".as_slice(), &[0; 260]].concat();
        let old = b"\x10\x12\0\x06MQIsdp\x03\x02\0\x3c\0\x04abcd";
        for packet in [connect.as_slice(), &long, old] {
            assert!(begins(head_of(packet), first(packet)) && sets_up_with(sets_up, packet));
        }
        let publish = b"\x30\x07\0\x01ajob!".as_slice();
        assert!(!sets_up_with(sets_up, publish) && !sets_up_with(sets_up, &[connect.as_slice(), publish].concat()));
        assert!(sets_up_with(sets_up, b"\xe0\0"), "DISCONNECT");
    }
}
