//! PostgreSQL: set-up before the first query, and which messages ask. PostgreSQL's documentation, "Message Formats" and
//! "Message Flow".
//!
//! An exchange is an executed query. Preparing one (Parse, Describe, Sync) is no exchange, nor is an upload in answer
//! to COPY.

use crate::conversation::{Conversation, Cursor, Exactness, Head, Message, Send, message::byte, traits};
use Exactness::{Exact, Inexact};

/// Protocol 3.0, and the codes used in its place.
const VERSION_3: u32 = 3 << 16;
const CANCEL_REQUEST: u32 = 80_877_102;
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;

/// Number of messages in one send that are inspected. The extended protocol uses five for a query.
const MAX_MESSAGES: u32 = 12;

/// A message's type, and its length, which includes itself.
const TYPE_AND_LENGTH_BYTES: u32 = 5;

/// Bit of [`Conversation::protocol_traits`]: an upload was followed by a read, which may have been only a notice.
pub(in crate::conversation) const UPLOADED: u8 = 1;

/// The same: the ask was cut inside a message's head, so its message boundaries are unknown.
const CUT: u8 = 1 << 1;

/// Whether this is a message without a type: its length, then its code.
#[inline(always)]
pub(in crate::conversation) fn is_start(head: Head, len: u32) -> bool {
    let code = head.u32_at(4);
    // Since 3.2 the minor version increases.
    let is_version = code & 0xffff_0000 == VERSION_3;
    head.u32_at(0) == len && head.len >= 8 && (is_version || matches!(code, SSL_REQUEST | GSS_REQUEST | CANCEL_REQUEST))
}

/// Whether a pre-existing connection continues with a query that fills its send.
#[inline(always)]
pub(in crate::conversation) fn is_query(head: Head, len: u32) -> bool {
    head.byte(0) == b'Q' && head.word_at(1) >> 32 == u64::from(len - 1) && len < 1 << 24
}

/// A summary of the messages in a send.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts")]
struct Batch {
    executes: bool,
    /// More than one query or parsed statement.
    has_several: bool,
    /// The last message requires an answer.
    is_complete: bool,
    /// Offset after the last message, beyond the send if the message continues in the next.
    end: u32,
    /// The send ends inside a message's head, so the message's end is unknown.
    is_cut: bool,
}

/// Bits of [`Cursor::found`].
mod found {
    pub(in crate::conversation) const EXECUTES: u32 = 1;
    pub(in crate::conversation) const CUT: u32 = 1 << 1;
}

/// Walks the messages of a send by their lengths.
#[inline(always)]
fn batch(message: &mut impl Message, len: u32) -> Batch {
    let prefix_len = message.prefix().unwrap_or(0);
    message.set_cursor(Cursor::default());
    for _ in 0..MAX_MESSAGES {
        if !message.postgresql_message(prefix_len, len) {
            break;
        }
    }
    let Cursor { mut at, found, count: statements, mut last, .. } = message.cursor();
    let mut is_cut = found & found::CUT != 0;
    if at < len && !is_cut {
        // More messages than are inspected. The last one is most likely Sync.
        let tail = message.head(len - TYPE_AND_LENGTH_BYTES);
        is_cut = !tail.starts_with(b"S\0\0\0\x04");
        last = u32::from(b'S');
        at = message.opaque(len);
    }
    let ends = last == u32::from(b'Q') || last == u32::from(b'S') || last == u32::from(b'H') || last == u32::from(b'F');
    let executes = found & found::EXECUTES != 0;
    Batch { executes, has_several: statements > 1, is_complete: ends && !is_cut, end: at, is_cut }
}

/// Inspects the next message of a send of `len` bytes. The prefix holds `prefix_len` bytes of it. Returns whether
/// another may follow.
#[inline(always)]
pub fn next_message(message: &mut impl Message, prefix_len: u32, len: u32) -> bool {
    let cursor = message.cursor();
    if cursor.at >= len {
        return false;
    }
    let end = cursor.at + TYPE_AND_LENGTH_BYTES;
    let word = if end > len {
        0
    } else if end > prefix_len {
        message.head(cursor.at).words[0]
    } else {
        message.word_at(cursor.at)
    };
    if word == 0 {
        // The head is cut or cannot be read.
        message.set_cursor(Cursor { found: cursor.found | found::CUT, ..cursor });
        return false;
    }
    let kind = byte(word, 0);
    let executes = if matches!(kind, b'Q' | b'E' | b'B' | b'F') { found::EXECUTES } else { 0 };
    let statements = cursor.count + u32::from(matches!(kind, b'Q' | b'P'));
    let at = cursor.at.wrapping_add(1).wrapping_add((word >> 24) as u32);
    message.set_cursor(Cursor { at, found: cursor.found | executes, count: statements, last: kind.into(), ..cursor });
    true
}

impl Conversation {
    #[inline(always)]
    pub(in crate::conversation) fn inspect_postgresql(
        &mut self,
        message: &mut impl Message,
        head: Head,
        send: Send,
    ) -> Exactness {
        if head.len == 0 {
            return Inexact;
        }
        let (mut head, mut send) = (head, send);
        if self.frame_end > send.at && !send.after_unseen {
            // The rest of a message.
            let rest = self.frame_end - send.at;
            if rest >= u64::from(send.len) {
                self.turn.exclude(send.at, send.len);
                return Exact;
            }
            let rest = message.opaque(rest as u32);
            self.turn.exclude(send.at, rest);
            send.skip(rest);
            message.skip(rest);
            head = message.head(0);
        }
        let kind = head.byte(0);
        let is_asked = self.turn.has_open_ask(send.at);
        let is_start = !is_asked && is_start(head, send.len);
        if !is_asked && self.has(traits::DOUBTFUL) && !is_start {
            // GSS encryption was not refused, so encrypted packets follow.
            return Inexact;
        }
        if !is_asked {
            self.traits &= !traits::DOUBTFUL;
        }
        if is_start && head.u32_at(4) == GSS_REQUEST {
            self.traits |= traits::DOUBTFUL;
        }
        if is_start || !is_asked && kind == b'p' || kind == b'X' {
            // The start-up message, a password, SASL or GSS message, or Terminate.
            self.turn.exclude(send.at, send.len);
            return Exact;
        }
        if !is_asked && matches!(kind, b'd' | b'c' | b'f') {
            // COPY: all of it, regardless of message boundaries, until the server reports the result.
            self.begin_upload(send);
            return Exact;
        }
        if is_asked && self.protocol_traits & CUT != 0 {
            // It may belong to the ask or be another one. The connection is already marked.
            return Exact;
        }
        self.inspect_batch(message, head, send)
    }

    /// Inspects messages that ask something or prepare it.
    #[inline(always)]
    fn inspect_batch(&mut self, message: &mut impl Message, head: Head, send: Send) -> Exactness {
        let kind = head.byte(0);
        let is_asked = self.turn.has_open_ask(send.at);
        self.protocol_traits &= !CUT;
        let batch = batch(message, send.len);
        if batch.is_cut {
            self.protocol_traits |= CUT;
        }
        if !is_asked && self.protocol_traits & UPLOADED != 0 {
            if !batch.is_complete || batch.end != send.len {
                // More of the upload, cut inside a message, or a part of a query.
                self.begin_upload(send);
                return Inexact;
            }
            self.protocol_traits &= !UPLOADED;
        }
        self.frame_end = if batch.is_cut { 0 } else { send.at + u64::from(batch.end) };
        let mut exactness = if batch.is_cut { Inexact } else { Exact };
        if is_asked {
            // The rest of a batch, or another one before the answer.
            let is_message = matches!(kind, b'Q' | b'P' | b'B' | b'E' | b'D' | b'C' | b'S' | b'F');
            if self.has(traits::COMPLETE) && is_message {
                exactness = Inexact;
            }
        } else {
            self.traits &= !traits::COMPLETE;
        }
        if batch.is_complete {
            self.traits |= traits::COMPLETE;
        }
        if is_asked {
            return exactness;
        }
        let is_setting = !self.has(traits::PAST_SETUP) && !batch.has_several && sets(message, head, send.len);
        if is_setting || !batch.executes {
            self.turn.exclude(send.at, send.len);
            return exactness;
        }
        self.traits |= traits::PAST_SETUP;
        exactness
    }
}

/// Whether this is SET, with which drivers begin: as a query, or as an unnamed statement that is parsed first.
#[inline(always)]
fn sets(message: &mut impl Message, head: Head, len: u32) -> bool {
    let offset = match head.byte(0) {
        b'Q' => TYPE_AND_LENGTH_BYTES,
        b'P' if head.byte(5) == 0 => TYPE_AND_LENGTH_BYTES + 1,
        _ => return false,
    };
    message.is_setting(offset, len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::{Sent, head_of};

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind][..], &u32::try_from(body.len() + 4).unwrap().to_be_bytes(), body].concat()
    }

    fn of(messages: &[Vec<u8>]) -> (bool, bool) {
        let bytes = messages.concat();
        let Batch { executes, is_complete, .. } = batch(&mut Sent::new(&bytes), bytes.len() as u32);
        (executes, is_complete)
    }

    #[test]
    fn batch_tells_whether_it_executes() {
        let [parse, describe, bind, execute, sync] = [
            message(b'P', b"s\0select 1\0\0\0"),
            message(b'D', b"Ss\0"),
            message(b'B', b"\0s\0"),
            message(b'E', &[0; 5]),
            message(b'S', b""),
        ];
        assert_eq!(of(&[message(b'Q', b"select 1\0")]), (true, true));
        assert_eq!(of(&[parse.clone(), describe.clone(), sync.clone()]), (false, true), "prepared");
        assert_eq!(of(&[bind.clone(), execute.clone(), sync.clone()]), (true, true));
        assert_eq!(of(&[parse.clone(), bind, describe, execute, sync.clone()]), (true, true));
        assert_eq!(of(&[message(b'P', &[b'x'; 5000]), sync]), (false, true), "longer than the prefix");
        assert_eq!(of(&[parse[..9].to_vec()]), (false, false), "in pieces");
    }

    #[test]
    fn starts_and_set_statements_are_recognised() {
        let start = [&[0, 0, 0, 23, 0, 3, 0, 0][..], b"user\0postgres\0\0"].concat();
        assert!(is_start(head_of(&start), 23) && !is_start(head_of(&start), 24));
        assert!(is_start(head_of(&[0, 0, 0, 8, 4, 210, 22, 47]), 8), "SSLRequest");
        let sets = |message: &[u8]| sets(&mut Sent::new(message), head_of(message), message.len() as u32);
        assert!(sets(&message(b'Q', b"SET application_name = 'x'\0")));
        assert!(sets(&message(b'P', b"\0set extra_float_digits = 3\0\0\0")));
        assert!(!sets(&message(b'Q', b"select 1\0")) && !sets(&message(b'Q', b"SET a TO b; SELECT 1\0")));
        let query = message(b'Q', b"select 1\0");
        assert!(is_query(head_of(&query), query.len() as u32) && !is_query(head_of(&query), 90));
    }
}
