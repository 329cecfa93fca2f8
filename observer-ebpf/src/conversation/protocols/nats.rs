//! NATS: the server begins with INFO, and the client sends CONNECT and PING. A published message may or may not be
//! answered. NATS client protocol, "Protocol messages".

use crate::conversation::{Head, Message, Send, message::is_one_line};

const PING_BYTES: u32 = 6;

#[inline(always)]
pub(in crate::conversation) fn begins(head: Head, _: Send) -> bool {
    head.starts_with(b"CONNECT ") && head.byte(8) == b'{'
}

/// CONNECT alone or with a PING, or the answer to the server's PING.
#[inline(always)]
pub(in crate::conversation) fn sets_up(message: &mut impl Message, head: Head, len: u32) -> bool {
    if head.starts_with(b"CONNECT ") {
        return is_one_line(message, len) || message.head(len.wrapping_sub(PING_BYTES)).starts_with(b"PING\r\n");
    }
    len == PING_BYTES && (head.starts_with(b"PING\r\n") || head.starts_with(b"PONG\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{
        fixture::{first, head_of, sets_up_with},
        protocols::http1,
    };

    #[test]
    fn nats_connect_is_no_tunnel() {
        let connect = b"CONNECT {\"verbose\":false,\"lang\":\"go\"}\r\nPING\r\n";
        assert!(begins(head_of(connect), first(connect)) && sets_up_with(sets_up, connect));
        assert!(!http1::is_connect(head_of(connect)));
        let tunnel = b"CONNECT example.org:443 HTTP/1.1\r\n";
        assert!(http1::is_connect(head_of(tunnel)) && !begins(head_of(tunnel), first(tunnel)));
        assert!(sets_up_with(sets_up, b"PONG\r\n") && !sets_up_with(sets_up, b"SUB jobs 1\r\n"));
        assert!(sets_up_with(sets_up, b"CONNECT {}\r\n"));
        assert!(!sets_up_with(sets_up, b"CONNECT {}\r\nPUB jobs 2\r\n{}\r\n"));
    }
}
