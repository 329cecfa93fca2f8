//! Protocols with inexact turns: they are recognised by name, their set-up is no exchange, and their counts are marked.

use proptest::{collection::vec, prelude::*};
use tcp_reuse_watch_ebpf::{Application, Protocol};

use crate::{
    config,
    observed::Observed,
    play::{Faults, Tape, Torn, play},
    script::Script,
    wire::{http1 as http, inexact as wire, postgresql, text::Text},
};

/// A connection's turns in one protocol: what the client sends, and what answers it.
#[derive(Clone, Debug)]
struct Dialogue {
    application: Application,
    greeting: Vec<u8>,
    set_up: Vec<(Vec<u8>, Vec<u8>)>,
    /// The turns that count.
    asks: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Dialogue {
    fn script(&self) -> Script {
        let mut script = Script::default();
        if !self.greeting.is_empty() {
            script.answer(self.greeting.as_slice());
        }
        for (ask, answer) in &self.set_up {
            script.send(ask.as_slice());
            script.answer(answer.as_slice());
        }
        for (ask, answer) in &self.asks {
            script.send(ask.as_slice());
            script.answered(answer.as_slice());
        }
        script
    }
}

fn turn(ask: impl Into<Vec<u8>>, answer: impl Into<Vec<u8>>) -> (Vec<u8>, Vec<u8>) {
    (ask.into(), answer.into())
}

/// A turn, repeated.
fn turns(turn: &(Vec<u8>, Vec<u8>), count: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    vec![turn.clone(); count]
}

fn ssh() -> Dialogue {
    let packet = |message: u8, bytes: usize| {
        let len = u32::try_from(bytes).unwrap().to_be_bytes();
        [&len[..], &[6, message], &vec![7; bytes - 2]].concat()
    };
    Dialogue {
        application: Application::Ssh,
        greeting: Vec::new(),
        set_up: vec![
            turn("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "SSH-2.0-OpenSSH_9.7\r\n"),
            turn(packet(20, 1500), packet(20, 1000)),
            turn(packet(30, 44), packet(31, 400)),
            turn(packet(21, 12), packet(21, 12)),
        ],
        asks: vec![turn(vec![0xe7; 44], vec![0xe7; 44]), turn(vec![0xe7; 60], vec![0xe7; 500])],
    }
}

fn amqp() -> Dialogue {
    let open = [wire::amqp(0, 10, 31), wire::amqp(0, 10, 40), wire::amqp(1, 20, 10)].concat();
    Dialogue {
        application: Application::Amqp,
        greeting: Vec::new(),
        set_up: vec![
            turn(b"AMQP\0\0\x09\x01".as_slice(), wire::amqp(0, 10, 10)),
            turn(wire::amqp(0, 10, 11), wire::amqp(0, 10, 30)),
            turn(open, [wire::amqp(0, 10, 41), wire::amqp(1, 20, 11)].concat()),
            turn(wire::amqp(1, 85, 10), wire::amqp(1, 85, 11)),
        ],
        asks: vec![
            turn(wire::amqp(1, 50, 10), wire::amqp(1, 50, 11)),
            turn(wire::amqp(1, 60, 40), wire::amqp(1, 60, 80)),
        ],
    }
}

fn nats() -> Dialogue {
    Dialogue {
        application: Application::Nats,
        greeting: b"INFO {\"server_id\":\"x\"}\r\n".to_vec(),
        set_up: vec![
            turn("CONNECT {\"verbose\":false,\"lang\":\"go\"}\r\nPING\r\n", "PONG\r\n"),
            turn("PING\r\n", "PONG\r\n"),
        ],
        asks: vec![turn("SUB jobs 1\r\nPUB jobs 5\r\nhello\r\n", "MSG jobs 1 5\r\nhello\r\n")],
    }
}

fn mqtt() -> Dialogue {
    Dialogue {
        application: Application::Mqtt,
        greeting: Vec::new(),
        set_up: vec![turn(b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04abcd".as_slice(), b"\x20\x02\0\0".as_slice())],
        asks: vec![turn(b"\x32\x09\0\x01a\0\x01hello".as_slice(), b"\x40\x02\0\x01".as_slice())],
    }
}

fn smtp() -> Dialogue {
    Dialogue {
        application: Application::Smtp,
        greeting: b"220 localhost ESMTP\r\n".to_vec(),
        set_up: vec![
            turn("EHLO example.org\r\n", "250-localhost\r\n250 AUTH LOGIN\r\n"),
            turn("AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n"),
            turn("bWU=\r\n", "334 UGFzc3dvcmQ6\r\n"),
            turn("eW91\r\n", "235 OK\r\n"),
        ],
        asks: vec![
            turn("MAIL FROM:<me@example.org>\r\n", "250 OK\r\n"),
            turn("RCPT TO:<you@example.org>\r\n", "250 OK\r\n"),
            turn("DATA\r\n", "354 Go on\r\n"),
            turn("Subject: hello\r\n\r\nhello\r\n.\r\n", "250 OK\r\n"),
        ],
    }
}

fn ftp() -> Dialogue {
    Dialogue {
        application: Application::Ftp,
        greeting: b"220 (vsFTPd 3.0.3)\r\n".to_vec(),
        set_up: vec![
            turn("USER anonymous\r\n", "331 Please specify the password.\r\n"),
            turn("PASS x\r\n", "230 Login successful.\r\n"),
            turn("SYST\r\n", "215 UNIX Type: L8\r\n"),
            turn("FEAT\r\n", "211-Features:\r\n211 End\r\n"),
        ],
        asks: vec![
            turn("PASV\r\n", "227 Entering Passive Mode\r\n"),
            turn("RETR file\r\n", "150 Opening\r\n226 Done\r\n"),
        ],
    }
}

fn mongodb() -> Dialogue {
    Dialogue {
        application: Application::Mongodb,
        greeting: Vec::new(),
        set_up: vec![
            turn(wire::mongodb("hello"), wire::mongodb("ok")),
            turn(wire::mongodb("saslStart"), wire::mongodb("ok")),
            turn(wire::mongodb("saslContinue"), wire::mongodb("ok")),
        ],
        asks: vec![
            turn(wire::mongodb("find"), wire::mongodb("cursor")),
            turn(wire::mongodb("insert"), wire::mongodb("ok")),
        ],
    }
}

fn ldap() -> Dialogue {
    Dialogue {
        application: Application::Ldap,
        greeting: Vec::new(),
        set_up: vec![turn(
            b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00".as_slice(),
            b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00".as_slice(),
        )],
        asks: vec![turn([b"\x30\x81\x85\x02\x02\x01\x00\x63".as_slice(), &[0; 128]].concat(), vec![0x30; 90])],
    }
}

fn kafka() -> Dialogue {
    Dialogue {
        application: Application::Kafka,
        greeting: Vec::new(),
        set_up: vec![
            turn(wire::kafka(18), vec![0; 300]),
            turn(wire::kafka(17), vec![0; 30]),
            turn(wire::kafka(36), vec![0; 30]),
        ],
        asks: vec![turn(wire::kafka(3), vec![0; 200]), turn(wire::kafka(0), vec![0; 60])],
    }
}

fn dns() -> Dialogue {
    let query = b"\0\x1d\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03org\0\0\x01\0\x01";
    Dialogue {
        application: Application::Dns,
        greeting: Vec::new(),
        set_up: Vec::new(),
        asks: vec![turn(query.as_slice(), vec![0; 45])],
    }
}

/// An unknown protocol. If its server speaks first, the first turn is taken for set-up.
fn unknown(text: &[u8], greeting: &[u8]) -> Dialogue {
    let answer = b"what?\r\n".as_slice();
    let first = if greeting.is_empty() { Vec::new() } else { vec![turn(text, answer)] };
    Dialogue {
        application: Application::Unknown,
        greeting: greeting.to_vec(),
        set_up: first,
        asks: vec![turn(text, answer)],
    }
}

fn conversations() -> impl Strategy<Value = Dialogue> {
    let one = prop_oneof![
        Just(ssh()),
        Just(amqp()),
        Just(nats()),
        Just(mqtt()),
        Just(smtp()),
        Just(ftp()),
        Just(mongodb()),
        Just(ldap()),
        Just(kafka()),
        Just(dns()),
        Just(unknown(b"hello\r\n", b"")),
        Just(unknown(b"NOOP\r\n", b"+OK POP3\r\n")),
        Just(unknown(b"a1 NOOP\r\n", b"* OK IMAP4rev1\r\n")),
        vec(128_u8..255, 9..100).prop_map(|bytes| unknown(&bytes, b"")),
    ];
    (one, 1..4_usize).prop_map(|(dialogue, count)| Dialogue {
        asks: dialogue.asks.iter().flat_map(|turn| turns(turn, count)).collect(),
        ..dialogue
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn turns_of_recognised_protocols_are_counted_and_marked(dialogue in conversations(), tape in Tape::any()) {
        let script = dialogue.script();
        let player = play(Observed::new(), &script, &tape, Faults::NONE);
        // FTP is recognised by the number in its greeting, and the first read was too short for that.
        prop_assume!(dialogue.application != Application::Ftp || player.torn < Torn::Scraps);
        let observed = player.observed;
        prop_assert_eq!(observed.exchanges, script.exchanges, "{:#?}", observed.log);
        prop_assert_eq!(observed.application(), dialogue.application, "{:#?}", observed.log);
        prop_assert!(observed.is_marked() || observed.exchanges == 0, "{:#?}", observed.log);
    }

    #[test]
    fn turns_are_marked_with_any_hooks_skipped(dialogue in conversations(), tape in Tape::any(), faults in Faults::any()) {
        let observed = play(Observed::new(), &dialogue.script(), &tape, faults).observed;
        prop_assert!(observed.is_marked() || observed.exchanges == 0, "{:#?}", observed.log);
    }

    /// HTTP/2 is recognised by its preface, by its headers on a pre-existing connection, and after an upgrade.
    #[test]
    fn http2_is_marked(streams in 1..6_u8, manner in 0..3, tape in Tape::any()) {
        let mut script = Script::default();
        let mut observed = Observed::new();
        match manner {
            0 => script.send(wire::preface()),
            1 => observed = Observed::resumed(900, 900),
            _ => {
                script.send("GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n");
                script.answered(http::SWITCHING);
                script.send(wire::preface());
            }
        }
        for stream in 0..streams {
            script.send(wire::headers(2 * stream + 1));
            script.answered(wire::headers(2 * stream + 1));
        }
        let observed = play(observed, &script, &tape, Faults::NONE).observed;
        prop_assert!(observed.is_marked(), "{:#?}", observed.log);
        prop_assert!(observed.is(Protocol::Http2), "{:#?}", observed.log);
        prop_assert_eq!(observed.application(), Application::Http2);
    }

    /// The turns before it are set-up or were counted, and inside TLS nothing can be seen.
    #[test]
    fn start_tls_is_marked(is_mail: bool, text in Text::any(), tape in Tape::any()) {
        let mut script = Script::default();
        if is_mail {
            script.answer("220 localhost ESMTP\r\n");
            script.send("EHLO example.org\r\n");
            script.answer("250 STARTTLS\r\n");
            script.send("STARTTLS\r\n");
            script.answer("220 Go ahead\r\n");
        } else {
            script.send(postgresql::ssl_request());
            script.answer("S");
        }
        script.send(crate::wire::tls::hello(&[], true));
        script.answer(vec![22; 2000]);
        script.send(text.bytes(80));
        script.answer(vec![23; 900]);
        let observed = play(Observed::new(), &script, &tape, Faults::NONE).observed;
        prop_assert!(observed.is_marked() && observed.is(Protocol::Tls), "{:#?}", observed.log);
    }
}
