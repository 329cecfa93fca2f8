//! Protocols that begin with a login or a server greeting.

use anyhow::Result;

use crate::{
    dialogue::{
        Line::{self, Answer, Client, Peer},
        play, read_at_once,
    },
    expected::Close,
    peer::Truth,
    scenario::Scenario,
};

const TWO: Close = Close { exchanges: 2, ..Close::TYPICAL };

pub(crate) const ALL: &[Scenario] = &[
    Scenario::new("PostgreSQL", postgresql, &[(1, Close { turns: Some(5), application: Some("postgresql"), ..TWO })]),
    Scenario::new("MySQL", mysql, &[(1, Close { turns: Some(3), application: Some("mysql"), ..TWO })]),
    Scenario::new("Redis", redis, &[(1, Close { turns: Some(4), application: Some("redis"), ..TWO })]),
    Scenario::new("memcached", memcached, &[(1, Close { application: Some("memcached"), ..TWO })]),
    Scenario::new("SMTP", smtp, &[(1, Close { turns: Some(3), application: Some("smtp"), exact: false, ..TWO })]),
    Scenario::new("unrecognised protocol", unrecognised, &[(1, Close { exchanges: 3, ..Close::UNRECOGNISED })]),
];

/// A PostgreSQL message. Its length field counts itself but not the type byte.
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
        // The server asks for a password.
        Peer(message(b"R", &[0, 0, 0, 5, 1, 2, 3, 4])),
        Client(message(b"p", b"md5f00\0")),
        Peer(ready),
        query(),
        result(),
        query(),
        result(),
        Client(message(b"X", b"")),
    ];
    play(lines, read_at_once)
}

/// A MySQL packet: length, sequence number, payload.
fn packet(number: u8, body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_le_bytes()[..3], &[number], body].concat()
}

fn mysql() -> Result<Truth> {
    // Capabilities, maximum packet size, character set and zeros; then user and password.
    let login = [&[0x85, 0xa6, 0x3f, 0, 0, 0, 0, 1, 33][..], &[0; 23], b"me\0\x14", &[7; 20]].concat();
    let ok = || packet(2, &[0, 0, 0, 2, 0, 0, 0]);
    let query = || Client(packet(0, b"\x03SELECT 1"));
    let result =
        || Answer([packet(1, &[1]), packet(2, &[b'c'; 40]), packet(3, b"\x011"), packet(4, &[0xfe; 5])].concat());
    let lines = vec![
        Peer(packet(0, b"\x0a8.0.36\0\x01\0\0\0saltsalt\0")),
        Client(packet(1, &login)),
        Peer(ok()),
        query(),
        result(),
        query(),
        result(),
        Client(packet(0, &[1])),
    ];
    play(lines, read_at_once)
}

fn redis() -> Result<Truth> {
    let client = |words: &[&str]| {
        let strings: Vec<String> = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        Client(format!("*{}\r\n{}", words.len(), strings.concat()).into_bytes())
    };
    let lines = vec![
        client(&["HELLO", "3"]),
        Peer(b"%1\r\n+server\r\n+redis\r\n".to_vec()),
        client(&["CLIENT", "SETINFO", "LIB-NAME", "me"]),
        Peer(b"+OK\r\n".to_vec()),
        client(&["SET", "page", "1"]),
        Answer(b"+OK\r\n".to_vec()),
        client(&["GET", "page"]),
        Answer(b"$1\r\n1\r\n".to_vec()),
    ];
    play(lines, read_at_once)
}

fn memcached() -> Result<Truth> {
    let lines = vec![
        Client(b"get page\r\n".to_vec()),
        Answer(b"END\r\n".to_vec()),
        Client(b"set page 0 0 1\r\n1\r\n".to_vec()),
        Answer(b"STORED\r\n".to_vec()),
    ];
    play(lines, read_at_once)
}

fn unrecognised() -> Result<Truth> {
    let lines = (0..3).flat_map(|_| [Client(b"hello".to_vec()), Answer(b"hello to you".to_vec())]);
    play(lines.collect(), read_at_once)
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
    play(lines, read_at_once)
}
