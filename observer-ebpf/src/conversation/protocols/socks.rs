//! SOCKS: the turns that set up a tunnel. RFC 1928 (version 5), RFC 1929 for passwords, and SOCKS 4 as OpenSSH speaks
//! it.

use crate::conversation::Head;

const VERSION_4: u8 = 4;
const VERSION_5: u8 = 5;
const PASSWORD_VERSION: u8 = 1;
const CONNECT: u8 = 1;

/// Version, command, port and address, then the user name and, for 4a, the host name, each NUL-terminated.
const MIN_VERSION_4_BYTES: u32 = 9;
const MAX_VERSION_4_BYTES: u32 = 300;

/// The client begins with its methods, one byte each. If `is_begun`, a password and the request follow.
#[inline(always)]
pub(in crate::conversation) fn is_setup(head: Head, len: u32, is_begun: bool) -> bool {
    if is_begun {
        return head.byte(0) == VERSION_5 || head.byte(0) == PASSWORD_VERSION;
    }
    head.byte(0) == VERSION_5 && len == 2 + u32::from(head.byte(1))
        || head.byte(0) == VERSION_4
            && head.byte(1) == CONNECT
            && (MIN_VERSION_4_BYTES..MAX_VERSION_4_BYTES).contains(&len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::head_of;

    #[test]
    fn tunnels_are_set_up() {
        assert!(is_setup(head_of(&[5, 1, 0]), 3, false) && !is_setup(head_of(&[5, 1, 0]), 9, false));
        assert!(is_setup(head_of(&[5, 1, 0, 1, 127, 0, 0, 1, 0, 80]), 10, true));
        assert!(is_setup(head_of(b"\x04\x01\0\x50\x7f\0\0\x01me\0"), 11, false));
    }
}
