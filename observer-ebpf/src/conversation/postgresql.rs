//! PostgreSQL: what comes before the first query. PostgreSQL's documentation, "Message Formats".

use super::Head;

/// Protocol 3.0, and the codes that stand in its place.
const VERSION_3: u32 = 3 << 16;
const CANCEL_REQUEST: u32 = 80_877_102;
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;

/// A message without a type: its length, then what it wants.
#[inline(always)]
pub(super) fn is_start(head: Head, len: u32) -> bool {
    let code = head.word as u32;
    // From 3.2 on the minor version counts up.
    let is_version = code & 0xffff_0000 == VERSION_3;
    (head.word >> 32) as u32 == len
        && head.len == 8
        && (is_version || matches!(code, SSL_REQUEST | GSS_REQUEST | CANCEL_REQUEST))
}

/// A password, or one of the messages of SASL or GSS.
#[inline(always)]
pub(super) fn is_login(head: Head) -> bool {
    head.byte(0) == b'p'
}
