//! Protocols that begin with a login, or with a greeting of the server's.

use anyhow::Result;

use crate::{
    dialogue::{
        Line::{self, Answer, Client, Peer},
        at_once, speak,
    },
    expected::Close,
    peer::Truth,
    scenario::Scenario,
};

const TWO: Close = Close { exchanges: 2, ..Close::USUAL };

pub(crate) const ALL: &[Scenario] = &[
    Scenario::of("PostgreSQL", postgresql, &[(1, Close { turns: Some(5), ..TWO })]),
    Scenario::of("SMTP", smtp, &[(1, Close { turns: Some(3), exact: false, ..TWO })]),
];

/// A message of PostgreSQL: its length counts itself, and not its type.
fn message(kind: &[u8], body: &[u8]) -> Vec<u8> {
    [kind, &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

fn postgresql() -> Result<Truth> {
    const SSL_REQUEST: u32 = 80_877_103;
    let query = || Client(message(b"Q", b"SELECT 1;\0"));
    let result = || Answer([message(b"D", &[0; 11]), message(b"C", b"SELECT 1\0"), message(b"Z", b"I")].concat());
    let ready = [message(b"R", &[0; 4]), message(b"S", b"TimeZone\0UTC\0"), message(b"Z", b"I")].concat();
    let lines = vec![
        Client(message(b"", &SSL_REQUEST.to_be_bytes())),
        Peer(b"N".to_vec()),
        Client(message(b"", b"\0\x03\0\0user\0me\0\0")),
        // The password is wanted.
        Peer(message(b"R", &[0, 0, 0, 5, 1, 2, 3, 4])),
        Client(message(b"p", b"md5f00\0")),
        Peer(ready),
        query(),
        result(),
        query(),
        result(),
        Client(message(b"X", b"")),
    ];
    speak(lines, at_once)
}

fn smtp() -> Result<Truth> {
    let client = |text: &str| Client(text.as_bytes().to_vec());
    let done = || Answer(b"250 OK\r\n".to_vec());
    let lines: Vec<Line> = vec![
        Peer(b"220 localhost ESMTP\r\n".to_vec()),
        client("EHLO localhost\r\n"),
        Peer(b"250-localhost\r\n250 8BITMIME\r\n".to_vec()),
        client("MAIL FROM:<me@localhost>\r\n"),
        done(),
        client("RCPT TO:<you@localhost>\r\n"),
        done(),
    ];
    speak(lines, at_once)
}
