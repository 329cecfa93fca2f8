//! Endings of an HTTP/1 conversation, which no further step may follow.

use proptest::{collection::vec, prelude::*};
use tcp_reuse_watch_ebpf::Application;

use super::steps::looks_like_request;
use crate::{
    script::Script,
    wire::{
        http1::{Answer, Request, SWITCHING},
        text::Text,
    },
};

#[derive(Clone, Debug)]
pub(super) enum Ending {
    Quiet,
    /// A request that is never answered, or whose answer is never read.
    Lost(Request),
    Unread(Request, Answer),
    /// The server gave up waiting (408) just as the request was sent. A hook has to see that it was sent later.
    TooLate(Request),
    /// Another protocol after `101 Switching Protocols`: a WebSocket, or anything else. Its first bytes may arrive with
    /// the answer.
    Upgraded {
        web_socket: bool,
        said: Vec<Said>,
        together: bool,
    },
    /// The same without an announcement: Docker's attach. If its first bytes look like a request, or if the request's
    /// end cannot be seen, its bytes may be counted, unmarked (docs/COUNTING.md).
    Hijacked(Request, Vec<Said>),
}

/// Bytes from the client or the peer.
#[derive(Clone, Debug)]
pub(super) struct Said {
    by_client: bool,
    text: Text,
    bytes: usize,
}

impl Ending {
    pub(super) fn any() -> impl Strategy<Value = Self> {
        let said = || {
            let one = (any::<bool>(), Text::any(), 1..200_usize);
            vec(one.prop_map(|(by_client, text, bytes)| Said { by_client, text, bytes }), 0..5)
        };
        prop_oneof![
            3 => Just(Self::Quiet),
            1 => Request::any().prop_map(Self::Lost),
            1 => (Request::any(), Answer::any()).prop_map(|(a, b)| Self::Unread(a, b)),
            1 => Request::any().prop_map(Self::TooLate),
            2 => (any::<bool>(), said(), any::<bool>())
                .prop_map(|(web_socket, said, together)| Self::Upgraded { web_socket, said, together }),
            1 => (Request::any().prop_map(Request::seen_whole), said()).prop_map(|(request, mut said)| {
                said.insert(0, Said { by_client: true, text: Text::Prose, bytes: 9 });
                Self::Hijacked(request, said)
            }),
        ]
    }
}

impl Script {
    pub(super) fn end(&mut self, ending: &Ending) {
        match ending {
            Ending::Quiet => {}
            Ending::Lost(request) => self.send(request.bytes()),
            Ending::Unread(request, answer) => {
                self.send(request.bytes());
                self.arrive(answer.bytes());
            }
            Ending::TooLate(request) => {
                self.arrive("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n");
                self.send_seen(request.bytes());
                self.read();
            }
            Ending::Upgraded { web_socket, said, together } => {
                let to = if *web_socket { "websocket" } else { "tcp" };
                self.send(format!("GET /attach HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: {to}\r\n\r\n"));
                self.is_told_by_answer = true;
                self.becomes = web_socket.then_some(Application::Websocket);
                self.exchange();
                let first = if *together { b"hello".as_slice() } else { b"" };
                self.answer([SWITCHING, first].concat());
                self.converse(said);
            }
            Ending::Hijacked(request, said) => {
                self.send_seen(request.bytes());
                self.exchange();
                self.answer("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n");
                let ambiguous = |said: &Said| said.by_client && looks_like_request(&said.text.bytes(said.bytes));
                self.may_be_marked |= said.iter().any(ambiguous);
                self.converse(said);
            }
        }
    }

    fn converse(&mut self, said: &[Said]) {
        for Said { by_client, text, bytes } in said {
            if *by_client {
                self.send(text.bytes(*bytes));
            } else {
                self.answer(text.bytes(*bytes));
            }
        }
    }
}
