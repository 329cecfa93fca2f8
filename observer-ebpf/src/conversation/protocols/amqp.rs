//! AMQP 0-9-1: a client tunes the connection and opens channels over several turns before it asks anything. AMQP 0-9-1,
//! sections 4.2.2 (protocol header) and 4.2.3 (frames). Of AMQP 1.0 only the header is recognised.

use crate::conversation::{Head, Message, Send, message::byte};

/// Number of frames in one send that are inspected. A client sends three at once (`tune-ok`, `open` and a channel).
const MAX_FRAMES: u32 = 8;

/// Type, channel and size before a frame's payload, and the end mark after it.
const FRAME_BYTES: u32 = 8;

const METHOD: u8 = 1;
const HEARTBEAT: u8 = 8;

/// Method classes that prepare: `connection`, `channel` and `confirm`.
const CONNECTION: u32 = 10;
const CHANNEL: u32 = 20;
const CONFIRM: u32 = 85;

#[inline(always)]
pub(in crate::conversation) fn begins(head: Head, _: Send) -> bool {
    head.starts_with(b"AMQP") && head.byte(4) <= 3
}

#[inline(always)]
pub(in crate::conversation) fn sets_up(message: &mut impl Message, head: Head, len: u32) -> bool {
    let mut at = if head.starts_with(b"AMQP") { 8 } else { 0 };
    let Some(prefix_len) = message.prefix() else { return at == len };
    for _ in 0..MAX_FRAMES {
        if at >= len || at + FRAME_BYTES > prefix_len {
            break;
        }
        // Type 1, channel 2, size 4; then class 2 and method 2.
        let (word, class) = (message.word_at(at), message.word_at(at + 7) >> 48);
        let is_preparing = class as u32 == CONNECTION || class as u32 == CHANNEL || class as u32 == CONFIRM;
        if !(byte(word, 0) == METHOD && is_preparing || byte(word, 0) == HEARTBEAT) {
            return false;
        }
        let size = (word >> 8) as u32;
        at = message.opaque(at.wrapping_add(FRAME_BYTES).wrapping_add(size));
    }
    at == len
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::{first, head_of, sets_up_with};

    fn method(channel: u8, class: u8, method: u8, arguments: usize) -> Vec<u8> {
        let size = u32::try_from(arguments + 4).unwrap().to_be_bytes();
        [&[1, 0, channel][..], &size, &[0, class, 0, method], &vec![0; arguments], &[0xce]].concat()
    }

    #[test]
    fn tuning_and_channels_set_up() {
        let header = b"AMQP\0\0\x09\x01";
        assert!(begins(head_of(header), first(header)) && sets_up_with(sets_up, header));
        let start_ok = method(0, 10, 11, 300);
        let tune_and_open = [method(0, 10, 31, 8), method(0, 10, 40, 3), method(1, 20, 10, 1)].concat();
        let declare = method(1, 50, 10, 20);
        assert!(sets_up_with(sets_up, &start_ok) && sets_up_with(sets_up, &tune_and_open));
        assert!(sets_up_with(sets_up, &method(1, 85, 10, 1)), "confirm.select");
        assert!(!sets_up_with(sets_up, &declare));
        assert!(!sets_up_with(sets_up, &[tune_and_open, declare].concat()), "followed by an ask");
        assert!(!sets_up_with(sets_up, &start_ok[..100]), "an incomplete frame");
    }
}
