//! The client's hello: the target, and the protocols on offer.

use crate::conversation::{
    Conversation, Cursor, Message, TARGET_UNCLEAR,
    message::{byte, u16_of},
    target::{self, NO_SERVER_NAME},
    traits,
    turn::TLS_HEADER_BYTES,
};

/// Number of extensions in a hello, and of names in its list of protocols, that are inspected. Chrome sends 18 and 2.
const MAX_EXTENSIONS: u32 = 24;
const MAX_NAMES: u32 = 6;
const SERVER_NAME: u32 = 0;
const ALPN: u32 = 16;
const PSK_KEY_EXCHANGE_MODES: u32 = 45;

impl Conversation {
    /// Inspects the hello that begins the message, for its server name and the protocols it offers.
    #[inline(always)]
    pub(super) fn inspect_hello(&mut self, message: &mut impl Message) {
        if !self.has(traits::TUNNEL | traits::SOCKS) {
            // Unclear until the server name's end is found. Through a tunnel the target is the one requested from the
            // proxy.
            message.note_target(TARGET_UNCLEAR);
        }
        let Some(len) = message.prefix() else { return };
        // Message header 4, version 2, random 32; then session id, ciphers and compressions.
        let mut at = TLS_HEADER_BYTES + 38;
        at += 1 + u32::from(byte(message.word_at(at), 0));
        at += 2 + u16_of(message.word_at(at), 0);
        at += 1 + u32::from(byte(message.word_at(at), 0));
        let extensions = u16_of(message.word_at(at), 0);
        at = message.opaque(at + 2);
        let end = message.opaque(at.wrapping_add(extensions));
        // The server name comes early, and is known even if the hello is longer than the prefix.
        let reach = if end > len { len } else { end };
        message.set_cursor(Cursor { at, ..Cursor::default() });
        for _ in 0..MAX_EXTENSIONS {
            if !message.tls_extension(reach) {
                break;
            }
        }
        let Cursor { at, found, last: names, number: server, .. } = message.cursor();
        let is_whole = at == end && end <= len;
        if !self.has(traits::TUNNEL | traits::SOCKS) && (is_whole || server != 0) {
            let target = server_name(message, server as u32, reach);
            message.note_target(target);
        }
        if !is_whole {
            return;
        }
        self.traits |= found | traits::HELLO_SEEN;
        if names == 0 {
            return;
        }
        // After the extension's header comes the list's length, then the length-prefixed names.
        let list = u16_of(message.word_at(names.wrapping_add(2)), 0);
        let end = message.opaque(names.wrapping_add(4 + list));
        message.set_cursor(Cursor { at: names.wrapping_add(6), ..Cursor::default() });
        for _ in 0..MAX_NAMES {
            if !message.tls_name(end) {
                break;
            }
        }
        self.traits |= message.cursor().found;
    }
}

/// The target from a hello's server name extension, which begins at an offset of the prefix. The prefix holds the
/// hello's bytes before `reach`. An offset of 0 means that there is no such extension.
#[inline(always)]
fn server_name(message: &mut impl Message, extension: u32, reach: u32) -> u64 {
    if extension == 0 {
        return NO_SERVER_NAME;
    }
    // Extension header 4, list length 2, name type 1, name length 2.
    let len = u16_of(message.word_at(extension.wrapping_add(7)), 0);
    if extension.wrapping_add(9 + len) > reach {
        return TARGET_UNCLEAR;
    }
    target::hash(message, extension.wrapping_add(9), len)
}

/// Inspects the next extension of a hello. Extensions end at `end`, an offset of the prefix. Returns whether another
/// may follow. The cursor collects traits in `found`, the offset of the protocol list in `last`, and that of the server
/// name in `number`.
#[inline(always)]
pub fn next_extension(message: &mut impl Message, end: u32) -> bool {
    let mut cursor = message.cursor();
    if cursor.at >= end {
        return false;
    }
    let extension = message.word_at(cursor.at);
    let kind = u16_of(extension, 0);
    if kind == ALPN {
        cursor.last = cursor.at;
    }
    if kind == SERVER_NAME {
        cursor.number = cursor.at.into();
    }
    if kind == PSK_KEY_EXCHANGE_MODES {
        // Without it the server sends no ticket (RFC 8446 section 4.2.9).
        cursor.found |= traits::TICKETS_DUE;
    }
    cursor.at = cursor.at.wrapping_add(4 + u16_of(extension, 2));
    message.set_cursor(cursor);
    true
}

/// Inspects the next offered protocol name, in the same way.
#[inline(always)]
pub fn next_name(message: &mut impl Message, end: u32) -> bool {
    let mut cursor = message.cursor();
    if cursor.at >= end {
        return false;
    }
    let name = message.word_at(cursor.at);
    // A length-prefixed name. Its eighth letter would be the minor version. HTTP/2 may be a draft (`h2-14`).
    let is_draft = name >> 32 & 0x00ff_ffff == u64::from_be_bytes(*b"\0\0\0\0\0h2-");
    cursor.found |= if is_draft || name >> 40 == u64::from_be_bytes(*b"\0\0\0\0\0\x02h2") {
        traits::HTTP2_OFFERED
    } else if name == u64::from_be_bytes(*b"\x08http/1.") {
        traits::HTTP1_OFFERED
    } else {
        traits::OTHER_OFFERED
    };
    cursor.at = cursor.at.wrapping_add(1 + u32::from(byte(name, 0)));
    message.set_cursor(cursor);
    true
}
