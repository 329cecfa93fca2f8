//! Each protocol behind a PROXY header or inside a proxy's tunnel.

use proptest::{collection::vec, prelude::*};
use tcp_reuse_watch_ebpf::Application;

use crate::{
    config, http1, memcached, mysql,
    observed::Observed,
    play::{Faults, Tape, play},
    postgresql, redis,
    script::{Event, Script},
    tls,
};

#[derive(Clone, Debug)]
pub(crate) enum Wrapping {
    /// A header of version 1 or 2, in a send of its own or with the client's first bytes.
    Proxy {
        header: Vec<u8>,
        by_itself: bool,
    },
    /// The tunnel request in one send or in several.
    Connect {
        lines: usize,
        cuts: Vec<usize>,
    },
    Socks5 {
        has_password: bool,
        by_name: bool,
    },
    Socks4,
}

pub(crate) fn wrappings() -> impl Strategy<Value = Wrapping> {
    let header = prop_oneof![
        Just(b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n".to_vec()),
        Just(b"PROXY UNKNOWN\r\n".to_vec()),
        Just(b"PROXY TCP6 2001:db8::1 2001:db8::2 56324 5432\r\n".to_vec()),
        vec(any::<u8>(), 0..300).prop_map(|addresses| {
            let len = u16::try_from(addresses.len()).unwrap().to_be_bytes();
            [b"\r\n\r\n\0\r\nQUIT\n\x21\x11".as_slice(), &len, &addresses].concat()
        }),
    ];
    prop_oneof![
        2 => (header, any::<bool>()).prop_map(|(header, by_itself)| Wrapping::Proxy { header, by_itself }),
        1 => (0..4_usize, vec(any::<usize>(), 0..2)).prop_map(|(lines, cuts)| Wrapping::Connect { lines, cuts }),
        1 => any::<[bool; 2]>().prop_map(|[has_password, by_name]| Wrapping::Socks5 { has_password, by_name }),
        1 => Just(Wrapping::Socks4),
    ]
}

impl Wrapping {
    pub(crate) fn around(&self, inner: Script) -> Script {
        let mut script = Script { events: Vec::new(), ..inner };
        // Inside a tunnel the server's greeting looks like part of the proxy's answer.
        let greets = matches!(inner.events.first(), Some(Event::Answer(_)));
        script.may_be_marked |= greets && !matches!(self, Self::Proxy { .. });
        match self {
            Self::Proxy { header, by_itself } => {
                let begins = inner.events.first();
                if let (false, Some(Event::Send(buffers) | Event::SendSeen(buffers))) = (by_itself, begins) {
                    // In front of the first buffer, as a forwarder writes it.
                    let first = [header.as_slice(), &buffers[0]].concat();
                    script.send_vectored([vec![first], buffers[1..].to_vec()].concat());
                    script.events.extend_from_slice(&inner.events[1..]);
                    return script;
                }
                script.send(header.as_slice());
            }
            Self::Connect { lines, cuts } => {
                let lines = "Proxy-Authorization: Basic bWU6eW91\r\n".repeat(*lines);
                let head = format!("CONNECT db.example.org:443 HTTP/1.1\r\nHost: db.example.org:443\r\n{lines}\r\n");
                // A cut method is not recognised as CONNECT, and the tunnel's content is taken for HTTP
                // (docs/COUNTING.md).
                let cuts: Vec<usize> = cuts.iter().map(|cut| 9 + cut % (head.len() - 9)).collect();
                script.send_in_pieces(head.as_bytes(), &cuts);
                script.answer("HTTP/1.1 200 Connection established\r\n\r\n");
            }
            Self::Socks5 { has_password, by_name } => {
                script.send(if *has_password { vec![5, 2, 0, 2] } else { vec![5, 1, 0] });
                script.answer([5, if *has_password { 2 } else { 0 }]);
                if *has_password {
                    script.send(b"\x01\x02me\x03you".as_slice());
                    script.answer([1, 0]);
                }
                let target: &[u8] = if *by_name { b"\x03\x0bexample.org\x01\xbb" } else { b"\x01\x7f\0\0\x01\x01\xbb" };
                script.send([b"\x05\x01\0", target].concat());
                script.answer(b"\x05\0\0\x01\x7f\0\0\x01\x04\x38".as_slice());
            }
            Self::Socks4 => {
                script.send(b"\x04\x01\x01\xbb\x7f\0\0\x01me\0".as_slice());
                script.answer(b"\0\x5a\0\0\0\0\0\0".as_slice());
            }
        }
        script.events.extend(inner.events);
        script
    }
}

/// A protocol's conversations, and its name. None inside TLS.
pub(crate) fn conversations() -> impl Strategy<Value = (Script, Application)> {
    prop_oneof![
        2 => http1::conversations().prop_map(|script| (script, Application::Http1)),
        2 => postgresql::conversations().prop_map(|script| (script, Application::Postgresql)),
        1 => mysql::conversations().prop_map(|script| (script, Application::Mysql)),
        1 => redis::conversations().prop_map(|script| (script, Application::Redis)),
        1 => memcached::conversations().prop_map(|script| (script, Application::Memcached)),
        2 => tls::conversations().prop_map(|script| (script, Application::Unknown)),
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn wrapped_protocols_are_exact_when_every_hook_runs(
        wrapping in wrappings(),
        (inner, application) in conversations(),
        tape in Tape::any(),
    ) {
        let script = wrapping.around(inner);
        play(Observed::new(), &script, &tape, Faults::NONE).assert_exact(&script, application)?;
    }

    #[test]
    fn wrapped_protocols_are_right_or_marked(
        wrapping in wrappings(),
        (inner, _) in conversations(),
        tape in Tape::any(),
        faults in Faults::any(),
    ) {
        let script = wrapping.around(inner);
        let faults = Faults { hide_sends: false, ..faults };
        play(Observed::new(), &script, &tape, faults).assert_honest(&script)?;
    }
}
