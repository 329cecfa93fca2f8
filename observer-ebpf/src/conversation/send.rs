//! A send in the clear: whether it needs inspection, and what it means.

use super::{
    Application, Conversation, Message, Protocol, application,
    exactness::Exactness::{self, Exact, Inexact},
    protocols::{http2, memcached, mysql},
    traits,
};

/// A send's position in the conversation. Positions are bytes of payload since the connection began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// Position of its first byte.
    pub at: u64,
    /// End of the payload that has arrived, and of the part that the application has consumed.
    pub received: u64,
    pub consumed: u64,
    /// Length. Never 0.
    pub len: u32,
    /// No hook saw the bytes before it.
    pub after_unseen: bool,
    /// It is the first send, and the server greeted with a number (SMTP, FTP).
    pub greeted: bool,
}

impl Send {
    /// Whether nothing was sent before it.
    #[inline(always)]
    pub(super) fn is_first(&self) -> bool {
        self.at == 0
    }

    #[inline(always)]
    pub(super) fn has_read(&self) -> bool {
        self.consumed != 0
    }

    #[inline(always)]
    pub(super) fn has_unread(&self) -> bool {
        self.received != self.consumed
    }

    #[inline(always)]
    pub(super) fn server_spoke(&self) -> bool {
        self.received != 0
    }

    /// Drops the first `bytes` of the send.
    #[inline(always)]
    pub(super) fn skip(&mut self, bytes: u32) {
        self.at += u64::from(bytes);
        self.len -= bytes;
    }
}

/// Number of sends of an unrecognised connection that are inspected. TLS may begin after a few (StartTLS).
const MAX_INSPECTED_SENDS: u8 = 8;

impl Conversation {
    /// Whether a send of `len` bytes needs inspection. Excludes it if it is already known to ask nothing.
    #[inline(always)]
    #[must_use]
    pub fn needs_inspection(&mut self, at: u64, len: u32) -> bool {
        if self.protocol == Protocol::Http2 as u8 {
            return self.protocol_traits & http2::QUIET != 0;
        }
        if self.protocol != Protocol::Plain as u8 {
            return true;
        }
        let application = self.application;
        let is_asked = self.turn.has_open_ask(at);
        let needs_inspection = if application == Application::Http1 as u8 || application == Application::Websocket as u8
        {
            let needs_inspection = self.http1_needs_inspection(at, len);
            if !needs_inspection {
                self.turn.exclude_body(at, len);
            }
            return needs_inspection;
        } else if self.has(traits::UPLOADING) {
            false
        } else if application == Application::Redis as u8 {
            return is_asked || !self.has(traits::PAST_SETUP);
        } else if application::has_exact_turns(application) {
            return true;
        } else if application == Application::Unknown as u8 {
            return self.inspected_sends < MAX_INSPECTED_SENDS && (!is_asked || self.has(traits::UNIDENTIFIED));
        } else {
            return !is_asked && !self.has(traits::PAST_SETUP);
        };
        if !needs_inspection {
            self.turn.exclude(at, len);
        }
        needs_inspection
    }

    /// Inspects a send in the clear that is not HTTP/1.
    #[inline(always)]
    pub fn inspect_other(&mut self, message: &mut impl Message, send: Send) -> Exactness {
        let (application, head) = (self.application, message.last_head());
        if application == Application::Postgresql as u8 {
            return self.inspect_postgresql(message, head, send);
        }
        if application == Application::Mysql as u8 {
            return self.inspect_mysql(message, head, send);
        }
        if application == Application::Redis as u8 {
            return self.inspect_redis(message, head, send);
        }
        if application == Application::Memcached as u8 {
            let is_overlapping = self.turn.has_open_ask(send.at) && (head.len == 0 || memcached::may_be_command(head));
            return if is_overlapping { Inexact } else { Exact };
        }
        if application == Application::Unknown as u8 {
            self.inspected_sends += 1;
            if self.has(traits::SERVER_FIRST) && self.inspected_sends == 1 {
                self.turn.exclude(send.at, send.len);
            }
            // Another request before the answer that identifies the protocol.
            let is_overlapping = self.has(traits::UNIDENTIFIED)
                && self.turn.has_open_ask(send.at)
                && (head.len == 0 || memcached::may_be_command(head) || mysql::may_be_command(head, send.len));
            return if is_overlapping { Inexact } else { Exact };
        }
        if !self.turn.has_open_ask(send.at) {
            if application::sets_up(application, message, head, send.len) {
                self.turn.exclude(send.at, send.len);
            } else {
                self.traits |= traits::PAST_SETUP;
            }
        }
        Exact
    }
}
