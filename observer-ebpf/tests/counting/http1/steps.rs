//! Steps of an HTTP/1 client and its server.

use proptest::{collection::vec, prelude::*};

use crate::{
    script::{Script, pieces},
    wire::http1::{Answer, CONTINUE, Framing, Request, hints},
};

/// How a client sends a request.
#[derive(Clone, Debug)]
pub(super) enum Sending {
    AtOnce,
    /// Head and body in two buffers of one call.
    Vectored,
    /// The body after the head, in several calls or from a file.
    Body(Vec<usize>),
    File,
    /// Cut anywhere, even inside the head.
    Pieces(Vec<usize>),
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    vec(0..5000_usize, 0..4)
}

impl Sending {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            3 => Just(Self::AtOnce),
            1 => Just(Self::Vectored),
            2 => cuts().prop_map(Self::Body),
            1 => Just(Self::File),
            1 => cuts().prop_map(Self::Pieces),
        ]
    }
}

/// A step with a known number of exchanges.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Exchange(Request, Sending, Answer),
    /// A preliminary answer before the final one, together or separate.
    Hinted(Request, Sending, Answer, bool),
    /// `Upgrade: h2c`, which the server declines.
    Offering(Request, Answer),
    /// `Expect: 100-continue`. The client waits for it or sends its body without it. The answer comes with the `100` or
    /// separately.
    Expecting {
        request: Request,
        answer: Answer,
        waits: bool,
        together: bool,
        cuts: Vec<usize>,
    },
    /// `Expect: 100-continue`, which the server refuses, so the body is not sent.
    Refused(Request),
    /// The answer begins before the body ends.
    Early(Request, Answer, Vec<usize>),
    /// The answer is read before the kernel has taken all of a request that is sent in one call.
    Within(Request, Answer),
    /// Requests sent before the first is answered, in one call or in several. A hook sees the first or one of the
    /// others, because pipelining that no hook sees looks like one request.
    Pipelined(Vec<Request>, Answer, Option<usize>),
}

impl Step {
    /// In two cases the kernel side has to see where a request ends:
    /// - if the answer comes before the rest of a body that looks like a request;
    /// - if another request follows in the same send. For a chunked body it sees the end of the send.
    ///
    /// After a head of more than 2 KB, or chunks, these would be counted wrong, unmarked (docs/COUNTING.md).
    pub(super) fn any() -> impl Strategy<Value = Self> {
        let ends = || Request::with_body().prop_map(Request::seen_whole);
        let together = (Request::without_body().prop_map(Request::seen_whole), vec(Request::any(), 1..3))
            .prop_map(|(first, others)| [vec![first], others].concat());
        prop_oneof![
            6 => (Request::any(), Sending::any(), Answer::any()).prop_map(|(a, b, c)| Self::Exchange(a, b, c)),
            1 => (Request::any(), Sending::any(), Answer::any(), any::<bool>())
                .prop_map(|(a, b, c, d)| Self::Hinted(a, b, c, d)),
            1 => (Request::any(), Answer::any()).prop_map(|(a, b)| Self::Offering(a, b)),
            2 => (ends(), Answer::any(), any::<bool>(), any::<bool>(), cuts()).prop_map(
                |(request, answer, waits, together, cuts)| Self::Expecting { request, answer, waits, together, cuts }
            ),
            1 => ends().prop_map(Self::Refused),
            1 => (ends(), Answer::any(), cuts()).prop_map(|(a, b, c)| Self::Early(a, b, c)),
            1 => (ends(), Answer::any()).prop_map(|(a, b)| Self::Within(a, b)),
            1 => (together, Answer::any()).prop_map(|(a, b)| Self::Pipelined(a, b, None)),
            1 => (vec(Request::any(), 2..4), Answer::any(), any::<usize>())
                .prop_map(|(a, b, c)| Self::Pipelined(a, b, Some(c))),
        ]
    }
}

impl Script {
    pub(super) fn step(&mut self, step: &Step) {
        match step {
            Step::Exchange(request, sending, answer) => {
                self.send_request(request, sending);
                self.answer(answer.bytes());
            }
            Step::Hinted(request, sending, answer, together) => {
                self.send_request(request, sending);
                self.answer_behind(hints(3), answer, *together);
            }
            Step::Offering(request, answer) => {
                self.send([request.head("Upgrade: h2c\r\n"), request.body()].concat());
                self.is_told_by_answer = true;
                self.answer(answer.bytes());
            }
            Step::Expecting { request, answer, waits, together, cuts } => {
                self.send(request.head("Expect: 100-continue\r\n"));
                self.is_told_by_answer = true;
                self.is_told_by_statuses |= request.is_chunked();
                if *waits {
                    self.answer(CONTINUE);
                    // The server waits for it, so it is a body, even if it looks like a request.
                    let body = request.body();
                    self.may_be_marked |= cuts_last_chunk(request, &pieces(&body, cuts));
                    self.send_in_pieces(&body, cuts);
                    self.answer(answer.bytes());
                } else {
                    self.send_body(request, &request.body(), cuts);
                    self.answer_behind(CONTINUE.to_vec(), answer, *together);
                }
            }
            Step::Refused(request) => {
                self.send(request.head("Expect: 100-continue\r\n"));
                self.answer(Answer { status: 417, body: request.body, body_bytes: 0 }.bytes());
                // Whether the client sends the body anyway is unknown.
                self.may_be_marked = true;
            }
            Step::Within(request, answer) => {
                self.is_told_by_answer |= self.events.is_empty();
                self.send_answered(request.bytes(), answer.bytes());
            }
            Step::Early(request, answer, cuts) => self.answer_early(request, &answer.bytes(), cuts),
            Step::Pipelined(requests, answer, seen) => {
                self.pipeline(requests, *seen);
                for _ in requests {
                    self.answer(answer.bytes());
                }
                self.exchanges += requests.len() as u64 - 1;
            }
        }
        self.exchange();
    }

    pub(super) fn send_request(&mut self, request: &Request, sending: &Sending) {
        let (head, body) = (request.head(""), request.body());
        // With an uncommon method, or only a part of one, the answer has to identify the protocol.
        self.is_told_by_answer |= self.events.is_empty();
        match sending {
            Sending::Vectored => self.send_vectored(vec![head, body]),
            Sending::Body(cuts) => {
                self.send(head);
                self.send_body(request, &body, cuts);
            }
            Sending::File if request.framing == Framing::Length => {
                self.send(head);
                self.send_file(body.len());
            }
            Sending::AtOnce | Sending::File => self.send(request.bytes()),
            Sending::Pieces(cuts) => self.send_cut(request, cuts),
        }
    }

    fn send_cut(&mut self, request: &Request, cuts: &[usize]) {
        let bytes = request.bytes();
        let pieces = pieces(&bytes, cuts);
        self.may_be_marked |= pieces[1..].iter().any(|piece| looks_like_request(piece));
        // A method by itself, which may be a body of capitals.
        self.may_be_marked |= looks_like_request(pieces[0]) && !pieces[0].contains(&b' ');
        self.may_be_marked |= cuts_last_chunk(request, &pieces);
        for piece in pieces {
            self.send(piece);
        }
    }

    fn send_body(&mut self, request: &Request, body: &[u8], cuts: &[usize]) {
        let pieces = pieces(body, cuts);
        let has_known_end = request.framing == Framing::Length && request.is_seen_whole();
        self.may_be_marked |= !has_known_end && pieces.iter().any(|piece| looks_like_request(piece));
        self.may_be_marked |= cuts_last_chunk(request, &pieces);
        for piece in pieces {
            self.send(piece);
        }
    }

    fn answer_early(&mut self, request: &Request, answer: &[u8], cuts: &[usize]) {
        self.is_told_by_answer |= self.events.is_empty();
        self.send(request.head(""));
        let body = request.body();
        let (before, behind) = body.split_at(body.len() / 2);
        self.send_body(request, before, cuts);
        let (first, rest) = answer.split_at(answer.len() / 2);
        self.answer(first);
        self.send_body(request, behind, cuts);
        self.answer(rest);
    }

    fn pipeline(&mut self, requests: &[Request], seen: Option<usize>) {
        self.may_be_marked = true;
        let Some(seen) = seen else {
            return self.send_seen(requests.iter().flat_map(Request::bytes).collect::<Vec<u8>>());
        };
        for (number, request) in requests.iter().enumerate() {
            if number == seen % requests.len() {
                self.send_seen(request.bytes());
            } else {
                self.send(request.bytes());
            }
        }
    }

    fn answer_behind(&mut self, preliminary: Vec<u8>, answer: &Answer, together: bool) {
        if together {
            self.answer([preliminary, answer.bytes()].concat());
        } else {
            self.answer(preliminary);
            self.answer(answer.bytes());
        }
    }
}

/// Whether a piece looks like a request line or its beginning.
pub(super) fn looks_like_request(piece: &[u8]) -> bool {
    let piece = piece.strip_prefix(b"\r\n").unwrap_or(piece);
    let is_method = |byte: &&u8| byte.is_ascii_uppercase() || **byte == b'-';
    let method = piece.iter().take_while(is_method).count();
    method > 0 && piece.get(method).is_none_or(|byte| *byte == b' ') || method >= 32
}

/// Whether the cuts in a chunked body hide its end from every send's end. No known client does that.
fn cuts_last_chunk(request: &Request, pieces: &[&[u8]]) -> bool {
    request.is_chunked() && pieces.last().is_some_and(|piece| piece.len() < 5)
}
