//! MySQL and MariaDB: the server greets, and client and server alternate until the login is complete. Then each command
//! is a packet with number 0. MySQL's documentation, "Client/Server Protocol": packets, connection phase, commands.
//!
//! A packet is its length in three little-endian bytes, its number, and its payload.

use crate::conversation::{Conversation, Exactness, Head, Message, Send, traits};
use Exactness::{Exact, Inexact};

const HEADER_BYTES: u32 = 4;

/// Header, command byte and `SET `.
const SET_BYTES: u32 = 9;

/// A request for TLS is the start of a login, up to its zeros.
const TLS_REQUEST_BYTES: u32 = HEADER_BYTES + 32;

/// Capabilities that change what follows: TLS, and compressed packets.
const CLIENT_COMPRESS: u32 = 1 << 5;
const CLIENT_SSL: u32 = 1 << 11;
const CLIENT_PROTOCOL_41: u32 = 1 << 9;
const CLIENT_ZSTD: u32 = 1 << 26;

/// Unanswered commands, and a query.
const COM_QUIT: u8 = 0x01;
const COM_QUERY: u8 = 0x03;
const COM_STMT_SEND_LONG_DATA: u8 = 0x18;
const COM_STMT_CLOSE: u8 = 0x19;
const LAST_COMMAND: u8 = 0x20;

/// Length and number of the first packet.
#[inline(always)]
fn packet(head: Head) -> (u32, u8) {
    let word = head.u32_at(0).swap_bytes();
    (word & 0x00ff_ffff, (word >> 24) as u8)
}

#[inline(always)]
fn fills(head: Head, len: u32) -> bool {
    packet(head).0 + HEADER_BYTES == len
}

/// Whether this is the client's login after the server's greeting: packet 1, with capabilities, maximum packet size,
/// character set and zeros. A request for TLS has the same fields.
#[inline(always)]
pub(in crate::conversation) fn is_login(head: Head, send: Send) -> bool {
    packet(head).1 == 1
        && packet(head).0 >= 32
        && packet(head).0 + HEADER_BYTES <= send.len
        && capabilities(head) & CLIENT_PROTOCOL_41 != 0
        && head.word_at(16) == 0
}

#[inline(always)]
fn capabilities(head: Head) -> u32 {
    head.u32_at(4).swap_bytes()
}

/// Whether a pre-existing connection may continue with this command. Its answer confirms it.
#[inline(always)]
pub(in crate::conversation) fn may_be_command(head: Head, len: u32) -> bool {
    fills(head, len) && packet(head).1 == 0 && head.byte(4) < LAST_COMMAND && head.byte(4) > 0
}

/// Whether this answers a command: packet 1.
#[inline(always)]
pub(in crate::conversation) fn is_answer(head: Head) -> bool {
    packet(head).1 == 1 && packet(head).0 > 0
}

impl Conversation {
    #[inline(always)]
    pub(in crate::conversation) fn inspect_mysql(
        &mut self,
        message: &mut impl Message,
        head: Head,
        send: Send,
    ) -> Exactness {
        if head.len == 0 {
            return Inexact;
        }
        let (_, number) = packet(head);
        let is_whole = fills(head, send.len);
        if self.turn.has_open_ask(send.at) {
            // The rest of the command, or another command before the answer.
            let is_command = may_be_command(head, send.len) && self.has(traits::COMPLETE);
            return if is_command { Inexact } else { Exact };
        }
        if head.len < HEADER_BYTES || !is_whole && !self.has(traits::PAST_SETUP) && head.len < SET_BYTES {
            // Too short to identify.
            return Inexact;
        }
        if number != 0 {
            let caps = capabilities(head);
            let is_tls_request = number == 1 && send.len == TLS_REQUEST_BYTES && caps & CLIENT_SSL != 0;
            if is_tls_request && !self.has(traits::LOGGED_IN) {
                // The server does not answer it. The TLS hello comes next.
                self.turn.exclude(send.at, send.len);
                return Exact;
            }
            // The rest of the login, or a LOAD DATA upload, until the server reports the result.
            self.begin_upload(send);
            let is_compressed = number == 1
                && caps & (CLIENT_COMPRESS | CLIENT_ZSTD) != 0
                && !self.has(traits::PAST_SETUP | traits::LOGGED_IN);
            self.traits |= traits::LOGGED_IN;
            // Inside TLS the login continues unseen.
            return if is_compressed && caps & CLIENT_SSL == 0 { Inexact } else { Exact };
        }
        self.traits &= !traits::COMPLETE;
        if is_whole {
            self.traits |= traits::COMPLETE;
        }
        let command = head.byte(4);
        let has_no_answer = matches!(command, COM_QUIT | COM_STMT_SEND_LONG_DATA | COM_STMT_CLOSE);
        let is_setting = command == COM_QUERY && !self.has(traits::PAST_SETUP) && sets(message, send.len);
        if is_whole && (has_no_answer || is_setting) {
            self.turn.exclude(send.at, send.len);
            return Exact;
        }
        self.traits |= traits::PAST_SETUP;
        Exact
    }
}

/// Whether a query is SET, with which drivers begin.
#[inline(always)]
fn sets(message: &mut impl Message, len: u32) -> bool {
    let _ = message.prefix();
    message.is_setting(HEADER_BYTES + 1, len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::{first, head_of};

    fn packet_of(number: u8, body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(body.len()).unwrap().to_le_bytes();
        [&len[..3], &[number], body].concat()
    }

    #[test]
    fn logins_and_commands_are_recognised() {
        let login = packet_of(1, &[&[0x85, 0xa6, 0x3f, 0x20][..], &[0, 0, 0, 1], &[33], &[0; 23], b"app\0"].concat());
        assert!(is_login(head_of(&login), first(&login)));
        let ping = packet_of(0, &[0x0e]);
        assert!(!is_login(head_of(&ping), first(&ping)) && may_be_command(head_of(&ping), 5));
        assert!(!may_be_command(head_of(&ping), 6) && is_answer(head_of(&packet_of(1, &[0, 0, 0, 2, 0, 0, 0]))));
        assert!(!is_answer(head_of(&ping)));
    }
}
