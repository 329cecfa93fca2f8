//! Bits of [`super::Conversation::traits`]: facts about a conversation.

/// TLS: HTTP/1 was offered (ALPN).
pub(super) const HTTP1_OFFERED: u32 = 1;
/// TLS: a protocol other than HTTP was offered.
pub(super) const OTHER_OFFERED: u32 = 1 << 1;
/// The server spoke first.
pub(super) const SERVER_FIRST: u32 = 1 << 2;
/// HTTP/2 was offered: by ALPN, whose outcome the server encrypts, or in the clear for an upgrade.
pub(super) const HTTP2_OFFERED: u32 = 1 << 3;
/// The `ClientHello` was seen with all its extensions.
pub(super) const HELLO_SEEN: u32 = 1 << 4;
/// The client has sent a change cipher spec.
pub(super) const CIPHER_CHANGED: u32 = 1 << 5;
/// TLS up to 1.2: the rest of the handshake is in handshake records.
pub(super) const TLS12: u32 = 1 << 6;
/// The client has finished the handshake; everything after it is data.
pub(super) const FINISHED: u32 = 1 << 7;
/// TLS: data has begun a turn.
pub(super) const ASKED: u32 = 1 << 8;
/// TLS 1.3: the client accepts tickets. They may come with the first answer and have not been seen yet.
pub(super) const TICKETS_DUE: u32 = 1 << 9;
/// TLS 1.2 with ChaCha20.
pub(super) const CHACHA: u32 = 1 << 10;
/// A tunnel was requested from a proxy, by CONNECT or by SOCKS.
pub(super) const TUNNEL: u32 = 1 << 11;
pub(super) const SOCKS: u32 = 1 << 12;
/// TLS 1.3 by Java, which pads its records.
pub(super) const PADDED: u32 = 1 << 13;
/// TLS: the first bytes after the first request may be tickets, read in one piece.
pub(super) const MAY_BE_TICKETS: u32 = 1 << 14;
/// The first answer has to identify the protocol.
pub(super) const UNIDENTIFIED: u32 = 1 << 15;
/// The server has greeted with a number, as SMTP and FTP servers do.
pub(super) const GREETED: u32 = 1 << 16;
/// Something beyond set-up was sent.
pub(super) const PAST_SETUP: u32 = 1 << 17;
/// An upload continues until the server reports its result.
pub(super) const UPLOADING: u32 = 1 << 18;
/// The last send completed what was asked.
pub(super) const COMPLETE: u32 = 1 << 19;
/// MySQL: the client has answered the greeting.
pub(super) const LOGGED_IN: u32 = 1 << 20;
/// HTTP/1: the request's end is unknown.
pub(super) const OPEN_ENDED: u32 = 1 << 21;
/// HTTP/1: the server sent `100 Continue` and has not answered yet.
pub(super) const CONTINUED: u32 = 1 << 22;
/// HTTP/1: the status in the next read is needed.
pub(super) const AWAITS_STATUS: u32 = 1 << 23;
/// HTTP/1: the head of a preliminary answer continues in the next read.
pub(super) const INTERIM_OPEN: u32 = 1 << 24;
/// HTTP/1: the answer's status decides how later bytes are read.
pub(super) const STATUS_DECIDES: u32 = 1 << 25;
/// HTTP/1: the request asks for an upgrade to WebSocket.
pub(super) const WEB_SOCKET: u32 = 1 << 26;
/// HTTP/1: `101 Switching Protocols` arrived.
pub(super) const UPGRADED: u32 = 1 << 27;
/// HTTP/1: something other than a request was sent where one had to begin.
pub(super) const HIJACKED: u32 = 1 << 28;
/// Candidates for the protocol of the first send, until its answer confirms one.
pub(super) const MAY_BE_MEMCACHED: u32 = 1 << 29;
pub(super) const MAY_BE_MYSQL: u32 = 1 << 30;
/// There are signs that not every turn is a request.
pub(super) const DOUBTFUL: u32 = 1 << 31;
