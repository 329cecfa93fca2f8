//! SOCKS 5: the turns that set a tunnel up. RFC 1928, and RFC 1929 for passwords.

use super::Head;

const VERSION: u8 = 5;
const PASSWORD_VERSION: u8 = 1;

/// The client begins with the methods that it knows, each a byte; then come a password and what it wants, if `is_begun`.
#[inline(always)]
pub(super) fn is_setup(head: Head, len: u32, is_begun: bool) -> bool {
    if is_begun {
        return head.byte(0) == VERSION || head.byte(0) == PASSWORD_VERSION;
    }
    head.byte(0) == VERSION && len == 2 + u32::from(head.byte(1))
}
