//! SMTP and LMTP: the server greets, and a mail takes a turn for each of its lines. RFC 5321; RFC 4954 for logins.

use crate::conversation::{
    Head, Message, Send,
    message::{is_one_line, lower, starts_with},
};

/// After the server's greeting.
#[inline(always)]
pub(in crate::conversation) fn begins(head: Head, send: Send) -> bool {
    let word = lower(head.words[0]);
    send.server_spoke()
        && (starts_with(word, b"ehlo") || starts_with(word, b"helo") || starts_with(word, b"lhlo"))
        && head.byte(4) == b' '
}

/// Everything before the first mail: greetings, StartTLS, and logins, whose lines have no recognisable form.
#[inline(always)]
pub(in crate::conversation) fn sets_up(message: &mut impl Message, head: Head, len: u32) -> bool {
    let word = lower(head.words[0]);
    let asks = starts_with(word, b"mail ")
        || starts_with(word, b"vrfy ")
        || starts_with(word, b"noop")
        || starts_with(word, b"expn ");
    // A send of several lines contains a mail, too.
    !asks && is_one_line(message, len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::{first, head_of, sets_up_with};

    #[test]
    fn greetings_and_logins_set_up() {
        let hello = b"EHLO mail.example.org\r\n";
        let behind_greeting = Send { received: 20, consumed: 20, ..first(hello) };
        assert!(begins(head_of(hello), behind_greeting) && !begins(head_of(hello), first(hello)));
        for line in ["EHLO a\r\n", "helo a\r\n", "STARTTLS\r\n", "AUTH PLAIN AGEAYg==\r\n", "dXNlcg==\r\n"] {
            assert!(sets_up_with(sets_up, line.as_bytes()), "{line}");
        }
        assert!(!sets_up_with(sets_up, b"MAIL FROM:<a@b>\r\n") && !sets_up_with(sets_up, b"NOOP\r\n"));
        assert!(!sets_up_with(sets_up, b"EHLO a\r\nMAIL FROM:<a@b>\r\n"));
    }
}
