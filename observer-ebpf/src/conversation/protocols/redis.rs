//! Redis: commands as arrays of length-prefixed strings. Drivers introduce themselves first with HELLO, AUTH, CLIENT
//! and SELECT, each in a turn or all in one send. Redis' documentation, "RESP protocol spec".

use crate::conversation::{
    Conversation, Cursor, Exactness, Head, Message, Send,
    message::{byte, digits, lower, starts_with},
    traits,
};
use Exactness::{Exact, Inexact};

/// Number of words in one send that are inspected, counting the start of each command as one.
const MAX_WORDS: u32 = 24;

/// `*N` and a line end; `$N`, a line end, the string, and a line end.
#[inline(always)]
pub(in crate::conversation) fn begins(head: Head) -> bool {
    head.byte(0) == b'*' && head.byte(1).is_ascii_digit() && (head.has(2, b"\r\n$") || head.byte(2).is_ascii_digit())
}

/// The number after a line's first byte (up to five digits), and the line's length. Zeros if there is no number.
#[inline(always)]
fn line(word: u64) -> (u32, u32) {
    let (number, count) = digits(word << 8);
    if count == 0 || count > 5 { (0, 0) } else { (number as u32, count + 3) }
}

/// Whether a command prepares a connection, or only ends one that has asked nothing else.
#[inline(always)]
fn prepares(name: u64) -> bool {
    let name = lower(name);
    starts_with(name, b"hello-*")
        || starts_with(name, b"auth-*")
        || starts_with(name, b"client-*")
        || starts_with(name, b"select-*")
        || starts_with(name, b"quit-*")
}

/// What the commands of a send do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Commands {
    /// All of them prepare the connection.
    Preparing,
    /// The first one prepares, and the rest cannot be seen.
    Unclear,
    Asking,
}

#[inline(always)]
fn commands(message: &mut impl Message, len: u32) -> Commands {
    let Some(prefix_len) = message.prefix() else { return Commands::Unclear };
    message.set_cursor(Cursor::default());
    for _ in 0..MAX_WORDS {
        if !message.redis_word(prefix_len, len) {
            break;
        }
    }
    let Cursor { at, count: words, found: asks, .. } = message.cursor();
    if at == len && words == 0 {
        Commands::Preparing
    } else if asks != 0 {
        Commands::Asking
    } else {
        Commands::Unclear
    }
}

/// Inspects the start and name of the next command, or the next word of one, in a send of `len` bytes. The prefix holds
/// `prefix_len` bytes of it. Returns whether another may follow.
#[inline(always)]
pub fn next_word(message: &mut impl Message, prefix_len: u32, len: u32) -> bool {
    let cursor = message.cursor();
    let Cursor { at, count: words, .. } = cursor;
    if at >= prefix_len {
        return false;
    }
    let word = message.word_at(at);
    let (number, line_bytes) = line(word);
    let begins = words == 0;
    let name = message.word_at(at + line_bytes + 4);
    let goes_on = if begins { byte(word, 0) == b'*' && prepares(name) } else { byte(word, 0) == b'$' };
    if line_bytes == 0 || !goes_on {
        // Nothing is known past the prefix.
        let asks = at + line_bytes + 12 <= prefix_len || prefix_len == len;
        message.set_cursor(Cursor { found: asks.into(), ..cursor });
        return false;
    }
    let behind = at + line_bytes;
    message.set_cursor(if begins {
        Cursor { at: behind, count: number, ..cursor }
    } else {
        Cursor { at: behind + number + 2, count: words - 1, ..cursor }
    });
    true
}

impl Conversation {
    #[inline(always)]
    pub(in crate::conversation) fn inspect_redis(
        &mut self,
        message: &mut impl Message,
        head: Head,
        send: Send,
    ) -> Exactness {
        if self.turn.has_open_ask(send.at) {
            // The rest of a command, or another one before the answer.
            return if begins(head) || head.len == 0 { Inexact } else { Exact };
        }
        let commands = commands(message, send.len);
        if commands == Commands::Preparing {
            self.turn.exclude(send.at, send.len);
        } else {
            self.traits |= traits::PAST_SETUP;
        }
        if commands == Commands::Unclear { Inexact } else { Exact }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::{Sent, head_of};

    fn command(words: &[&str]) -> String {
        let strings: Vec<String> = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        format!("*{}\r\n{}", words.len(), strings.concat())
    }

    fn is_setup(text: &str) -> bool {
        commands(&mut Sent::new(text.as_bytes()), text.len() as u32) == Commands::Preparing
    }

    #[test]
    fn introductions_set_up() {
        let [hello, name, version, select, get] = [
            command(&["HELLO", "3", "AUTH", "user", "password"]),
            command(&["CLIENT", "SETINFO", "LIB-NAME", "redis-py"]),
            command(&["client", "setinfo", "LIB-VER", "5.2.1"]),
            command(&["SELECT", "10"]),
            command(&["GET", "page-1"]),
        ];
        for text in [&hello, &name, &version, &select, &command(&["AUTH", "x"])] {
            assert!(is_setup(text) && begins(head_of(text.as_bytes())), "{text:?}");
        }
        assert!(is_setup(&[hello.as_str(), &name, &version, &select].concat()), "all at once");
        assert!(!is_setup(&get) && begins(head_of(get.as_bytes())));
        assert!(!is_setup(&[hello.as_str(), &get].concat()), "followed by an ask");
        assert!(!is_setup(&hello[..20]) && !is_setup(&command(&["CLIENTS"])) && !is_setup("*1\r\n$3\r\n"));
        assert!(is_setup(&command(&["AUTH", &"x".repeat(3000)])), "a long token");
        assert!(begins(head_of(command(&["SET"; 12]).as_bytes())) && !begins(head_of(b"* OK IMAP")));
    }
}
