//! SSH: the banner and the key exchange, which are in the clear. Afterwards login and commands look alike. RFC 4253.

use crate::conversation::{Head, Message, Send};

/// Message numbers of the key exchange: `SSH_MSG_KEXINIT`, `SSH_MSG_NEWKEYS`, and those of the key exchange methods.
const KEY_EXCHANGE: core::ops::RangeInclusive<u8> = 20..=49;

/// Both sides begin with the banner (section 4.2). The client may have read the server's first.
#[inline(always)]
pub(in crate::conversation) fn begins(head: Head, _: Send) -> bool {
    head.starts_with(b"SSH-2.0-") || head.starts_with(b"SSH-1.99")
}

/// A packet is its length, its padding length, and its payload, whose first byte is the message number (section 6).
#[inline(always)]
pub(in crate::conversation) fn sets_up(_: &mut impl Message, head: Head, len: u32) -> bool {
    head.starts_with(b"SSH-") || head.u32_at(0).wrapping_add(4) <= len && KEY_EXCHANGE.contains(&head.byte(5))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::{first, head_of, sets_up_with};

    #[test]
    fn banner_and_keys_set_up() {
        let banner = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7\r\n";
        assert!(begins(head_of(banner), first(banner)));
        let kexinit = [&[0, 0, 5, 0xec, 6, 20][..], &[7; 1514]].concat();
        let newkeys = [0, 0, 0, 12, 10, 21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let encrypted = [0x51, 0xd2, 0x83, 0x1f, 0x99, 20, 1, 2];
        assert!(sets_up_with(sets_up, banner) && sets_up_with(sets_up, &kexinit) && sets_up_with(sets_up, &newkeys));
        assert!(!sets_up_with(sets_up, &encrypted));
    }
}
