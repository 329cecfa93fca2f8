//! HTTP/1 in the clear: a request begins with a method. RFC 9110 section 9, RFC 9112 section 3.

use super::Head;

/// Whether this begins a request, by a method that is common enough and what follows it: so sure that a connection
/// can be called HTTP by it.
#[inline(always)]
pub(super) fn is_request(head: Head) -> bool {
    let target = if head.starts_with(b"GET ") || head.starts_with(b"PUT ") {
        4
    } else if head.starts_with(b"POST ")
        || head.starts_with(b"HEAD ")
        || head.starts_with(b"COPY ")
        || head.starts_with(b"MOVE ")
        || head.starts_with(b"LOCK ")
    {
        5
    } else if head.starts_with(b"PATCH ") || head.starts_with(b"TRACE ") || head.starts_with(b"MKCOL ") {
        6
    } else if head.starts_with(b"DELETE ") || head.starts_with(b"REPORT ") || head.starts_with(b"SEARCH ") {
        7
    } else {
        return head.starts_with(b"OPTIONS ") || head.starts_with(b"PROPFIND") || head.starts_with(b"PROPPATC");
    };
    // A path, an absolute URI, or `*`; 0 where the buffer ends.
    matches!(head.byte(target), b'/' | b'h' | b'H' | b'*' | 0)
}

/// Whether a request may begin so, on a connection that is HTTP: any method there may be (`PURGE`, `M-SEARCH`). An
/// application that writes it in pieces shows only its first letters.
#[inline(always)]
pub(super) fn may_begin_request(head: Head) -> bool {
    // An empty line before it is to be ignored (RFC 9112 section 2.2).
    let skipped = if head.starts_with(b"\r\n") { 2 } else { 0 };
    let len = head.len.saturating_sub(skipped);
    head.byte(skipped).is_ascii_uppercase()
        && (len < 2 || is_method_byte(head.byte(skipped + 1)))
        && (len < 3 || is_method_byte(head.byte(skipped + 2)))
        && (len < 4 || is_method_byte(head.byte(skipped + 3)) || head.byte(skipped + 3) == b' ')
}

/// Whether it asks a proxy for a tunnel.
#[inline(always)]
pub(super) fn is_connect(head: Head) -> bool {
    head.starts_with(b"CONNECT ")
}

/// HTTP/2's connection preface, `PRI * HTTP/2.0` (RFC 9113 section 3.4).
#[inline(always)]
pub(super) fn is_preface(head: Head) -> bool {
    head.starts_with(b"PRI * HT")
}

#[inline(always)]
fn is_method_byte(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte == b'-'
}
