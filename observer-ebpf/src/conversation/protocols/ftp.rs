//! FTP's control connection: the server greets, and the client logs in. RFC 959; RFC 4217 for TLS, RFC 2389 for FEAT.

use crate::conversation::{
    Head, Message, Send,
    message::{lower, starts_with},
};

/// After the greeting. POP3 has USER too, but its greeting does not begin with a number.
#[inline(always)]
pub(in crate::conversation) fn begins(head: Head, send: Send) -> bool {
    let word = lower(head.words[0]);
    send.greeted && (starts_with(word, b"user ") || starts_with(word, b"auth tls") || starts_with(word, b"feat"))
}

#[inline(always)]
pub(in crate::conversation) fn sets_up(_: &mut impl Message, head: Head, _: u32) -> bool {
    let word = lower(head.words[0]);
    starts_with(word, b"user ")
        || starts_with(word, b"pass ")
        || starts_with(word, b"acct ")
        || starts_with(word, b"auth ")
        || starts_with(word, b"pbsz ")
        || starts_with(word, b"prot ")
        || starts_with(word, b"opts ")
        || starts_with(word, b"feat")
        || starts_with(word, b"syst")
        || starts_with(word, b"quit")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::{first, head_of, sets_up_with};

    #[test]
    fn logins_set_up() {
        let user = b"USER anonymous\r\n";
        let behind_greeting = Send { greeted: true, ..first(user) };
        assert!(begins(head_of(user), behind_greeting) && !begins(head_of(user), first(user)));
        assert!(sets_up_with(sets_up, user) && sets_up_with(sets_up, b"PASS x\r\n"));
        assert!(!sets_up_with(sets_up, b"RETR file\r\n"));
    }
}
