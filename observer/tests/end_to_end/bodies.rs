//! What is sent in the clear and is no request, but begins like one: bodies after `100 Continue`, with or without their
//! length, and after an answer that has come early; and what follows an upgrade.

use std::{fs, io::Read as _, net::TcpStream};

use tempfile::TempDir;

use crate::support::{
    clients::{assert_exact, by_curl},
    conversation::{Conversation, some},
    http::{OK, content_length, read_head, send},
    machine::Machine,
};

/// Lines of a log of requests, a request as a whole, base64, sequences of genes, SQL, and a table with a heading.
const LIKE_REQUESTS: [&str; 6] = [
    "GET /file HTTP/1.1\r\n",
    "POST /file HTTP/1.1\r\nContent-Length: 5\r\n\r\n",
    "TWFuIGlzIGRpc3Rpbmd1aXNoZWQsIG5vdCBvbmx5IGJ5IGhpcyByZWFz\r\n",
    "ACGTTGCA ACGTTGCA\nGATTACA / GATTACA\n",
    "SELECT * FROM t WHERE a = 1;\nINSERT INTO t VALUES (1);\n",
    "NAME,CITY\nsomebody,somewhere\n",
];

/// How often each is sent, in a send of its own.
const LINES: usize = 20;

/// When the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    WhenAllIsThere,
    /// And says `100 Continue` before it.
    AfterContinue,
    BeforeTheBody,
}

use Answers::{AfterContinue, BeforeTheBody, WhenAllIsThere};

/// How the client says where a body ends, and in which pieces it sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    ByLength,
    /// Each chunk in one send.
    InChunks,
    /// The size of a chunk, its bytes, and its end in sends of their own.
    InChunksInPieces,
}

use Framing::{ByLength, InChunks, InChunksInPieces};

/// What a line is sent as.
fn sends(framing: Framing, line: &str) -> Vec<String> {
    match framing {
        ByLength => vec![line.into()],
        InChunks => vec![format!("{:X}\r\n{line}\r\n", line.len())],
        InChunksInPieces => vec![format!("{:X}\r\n", line.len()), line.into(), "\r\n".into()],
    }
}

const CONTINUE: &[u8; 25] = b"HTTP/1.1 100 Continue\r\n\r\n";
const LAST_CHUNK: &[u8; 5] = b"0\r\n\r\n";

fn read_body(stream: &mut TcpStream, head: &str) {
    if !head.contains("transfer-encoding: chunked") {
        return stream.read_exact(&mut vec![0; content_length(head)]).expect("the whole body comes");
    }
    let mut body = Vec::new();
    while !body.ends_with(LAST_CHUNK) {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the whole body comes");
        body.push(byte[0]);
    }
}

fn serve(mut stream: TcpStream) -> u64 {
    let mut requests = 0;
    while let Some(head) = read_head(&mut stream) {
        requests += 1;
        let is_early = head.starts_with("put /early ");
        if head.contains("expect: 100-continue") {
            send(&mut stream, CONTINUE);
        } else if is_early {
            send(&mut stream, OK);
        }
        read_body(&mut stream, &head);
        if !is_early {
            send(&mut stream, OK);
        }
    }
    requests
}

/// A body of each of these lines, on one connection.
fn upload(stream: &mut TcpStream, answers: Answers, framing: Framing) {
    for line in LIKE_REQUESTS {
        let framed = match framing {
            ByLength => format!("Content-Length: {}", LINES * line.len()),
            InChunks | InChunksInPieces => "Transfer-Encoding: chunked".into(),
        };
        let path = if answers == BeforeTheBody { "/early" } else { "/" };
        let expect = if answers == AfterContinue { "Expect: 100-continue\r\n" } else { "" };
        send(stream, format!("PUT {path} HTTP/1.1\r\n{expect}{framed}\r\n\r\n"));
        match answers {
            WhenAllIsThere => {}
            AfterContinue => stream.read_exact(&mut [0; CONTINUE.len()]).expect("the server wants it"),
            BeforeTheBody => stream.read_exact(&mut [0; OK.len()]).expect("an answer comes"),
        }
        for _ in 0..LINES {
            for piece in sends(framing, line) {
                send(stream, piece);
            }
        }
        if framing != ByLength {
            send(stream, LAST_CHUNK);
        }
        if answers != BeforeTheBody {
            stream.read_exact(&mut [0; OK.len()]).expect("an answer comes");
        }
    }
}

/// On a connection for each kind of answer.
fn uploads(framing: Framing) -> Conversation {
    some(&Machine::shared(), 3, serve, |peer| {
        for answers in [WhenAllIsThere, AfterContinue, BeforeTheBody] {
            upload(&mut peer.connect(), answers, framing);
        }
    })
}

const BODIES: u64 = LIKE_REQUESTS.len() as u64;

#[test]
fn bodies_of_a_known_length() {
    uploads(ByLength).assert_exact(3 * BODIES, "plain");
}

#[test]
fn bodies_in_chunks() {
    uploads(InChunks).assert_exact(3 * BODIES, "plain");
}

/// Where a body ends is in the body, and this is not followed: a send within it may well be a request.
#[test]
fn chunks_in_pieces_are_not_silently_wrong() {
    let conversation = uploads(InChunksInPieces);
    assert_eq!(conversation.asked, 3 * BODIES, "what the peer was asked");
    for close in conversation.report.of_type("close") {
        assert!(close["exchanges"] == BODIES || close["exact"] == false, "{close:#}");
    }
}

/// By a real client, which waits until it is told to go on.
#[test]
fn files_that_curl_uploads() {
    let folder = TempDir::new().expect("a folder can be made");
    let cases = LIKE_REQUESTS.iter().enumerate().flat_map(|(n, line)| {
        let file = folder.path().join(n.to_string());
        fs::write(&file, line.repeat(4_000)).expect("it can be written");
        let file = file.display();
        ["", "--header Transfer-Encoding:chunked"].map(|chunked| {
            let expect = format!("--expect100-timeout 10 --header Expect:100-continue {chunked}");
            by_curl("", &expect, &format!("--upload-file {file}"))
        })
    });
    assert_exact(cases.collect::<Vec<_>>());
}

/// A server that switches to another protocol by this answer, in which each of these messages is answered, on a connection
/// for each.
fn switched(answer: &'static str, messages: &[&str]) -> Conversation {
    some(
        &Machine::shared(),
        messages.len() as u64,
        move |mut stream| {
            read_head(&mut stream).expect("a request comes");
            send(&mut stream, answer);
            while let Ok(1..) = stream.read(&mut [0; 4096]) {
                send(&mut stream, "as you say\n");
            }
            1
        },
        |peer| {
            for message in messages {
                let mut stream = peer.connect();
                send(&mut stream, "POST /attach HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
                stream.read_exact(&mut vec![0; answer.len()]).expect("an answer comes");
                for _ in 0..LINES {
                    send(&mut stream, message);
                    stream.read_exact(&mut [0; 11]).expect("an answer comes");
                }
            }
        },
    )
}

#[test]
fn nothing_after_an_upgrade_is_a_request() {
    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    switched(answer, &LIKE_REQUESTS).assert_exact(BODIES, "plain");
}

/// As Docker's server does it for a client that does not know of upgrades. (Whole lines of requests would be requests.)
#[test]
fn a_connection_that_is_taken_over_without_a_word_is_not_silently_wrong() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n";
    let conversation = switched(answer, &LIKE_REQUESTS[2..]);
    for close in conversation.report.of_type("close") {
        assert!(close["exchanges"] == 1 || close["exact"] == false, "{close:#}");
    }
}
