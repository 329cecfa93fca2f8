//! Redis: commands as arrays of strings, behind their lengths. Drivers introduce themselves first: HELLO, AUTH, CLIENT,
//! SELECT, each in a turn, or all in one send. Redis' documentation, "RESP protocol spec".

use crate::conversation::{
    Conversation, Cursor, Exactness, Head, Message, Send,
    message::{byte, digits, lower, starts_with},
    traits,
};
use Exactness::{Exact, Inexact};

/// Commands of one send that are looked at, and words of each.
const MAX_WORDS: u32 = 24;

/// `*N` and the line's end; `$N`, the line's end, the string, and its line's end.
#[inline(always)]
pub(in crate::conversation) fn begins(head: Head) -> bool {
    head.byte(0) == b'*' && head.byte(1).is_ascii_digit() && (head.has(2, b"\r\n$") || head.byte(2).is_ascii_digit())
}

/// The number behind the first byte of a line (up to five digits), and how long the line is; 0 if it is none.
#[inline(always)]
fn line(word: u64) -> (u32, u32) {
    let (number, count) = digits(word << 8);
    if count == 0 || count > 5 { (0, 0) } else { (number as u32, count + 3) }
}

/// Whether a command prepares a connection, or only ends one on which nothing else was asked.
#[inline(always)]
fn prepares(name: u64) -> bool {
    let name = lower(name);
    starts_with(name, b"hello-*")
        || starts_with(name, b"auth-*")
        || starts_with(name, b"client-*")
        || starts_with(name, b"select-*")
        || starts_with(name, b"quit-*")
}

/// What the commands of a send are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Commands {
    /// All of them prepare the connection.
    Preparing,
    /// So does the first, and what is behind it cannot be seen.
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

/// Goes through the beginning of the next command of a send of `len` bytes, of which so many were taken, and its name; or
/// through the next word of one. Whether another may follow.
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
        // Behind what is taken nothing is known.
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
            // More of a command; or one more before the answer.
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
        assert!(!is_setup(&[hello.as_str(), &get].concat()), "something is asked behind it");
        assert!(!is_setup(&hello[..20]) && !is_setup(&command(&["CLIENTS"])) && !is_setup("*1\r\n$3\r\n"));
        assert!(is_setup(&command(&["AUTH", &"x".repeat(3000)])), "a long token");
        assert!(begins(head_of(command(&["SET"; 12]).as_bytes())) && !begins(head_of(b"* OK IMAP")));
    }
}
