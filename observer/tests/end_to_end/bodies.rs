//! Data in the clear that begins like a request but is none: bodies after `100 Continue`, with and without a length,
//! bodies after an early answer, and data after an upgrade.

use std::{fs, io::Read as _, net::TcpStream};

use tempfile::TempDir;

use crate::support::{
    clients::{assert_exact, by_curl},
    conversation::{Conversation, converse},
    http::{OK, content_length, read_head, send},
    machine::Machine,
};

/// Lines of a request log, a whole request, base64, gene sequences, SQL, and a table with a heading.
const LIKE_REQUESTS: [&str; 6] = [
    "GET /file HTTP/1.1\r\n",
    "POST /file HTTP/1.1\r\nContent-Length: 5\r\n\r\n",
    "TWFuIGlzIGRpc3Rpbmd1aXNoZWQsIG5vdCBvbmx5IGJ5IGhpcyByZWFz\r\n",
    "ACGTTGCA ACGTTGCA\nGATTACA / GATTACA\n",
    "SELECT * FROM t WHERE a = 1;\nINSERT INTO t VALUES (1);\n",
    "NAME,CITY\nsomebody,somewhere\n",
];

/// Repetitions of each line, each in a send of its own.
const LINES: usize = 20;

/// When the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    WhenAllIsThere,
    /// After `100 Continue`, once the body is complete.
    AfterContinue,
    BeforeTheBody,
}

use Answers::{AfterContinue, BeforeTheBody, WhenAllIsThere};

/// How the client frames a body, and in which pieces it sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    ByLength,
    /// Each chunk in one send.
    InChunks,
    /// The size, the bytes and the end of each chunk in sends of their own.
    InChunksInPieces,
}

use Framing::{ByLength, InChunks, InChunksInPieces};

/// The sends of a line.
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
        return stream.read_exact(&mut vec![0; content_length(head)]).expect("cannot read the whole body");
    }
    let mut body = Vec::new();
    while !body.ends_with(LAST_CHUNK) {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("cannot read the whole body");
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

/// Uploads a body of each line on one connection.
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
            AfterContinue => stream.read_exact(&mut [0; CONTINUE.len()]).expect("cannot read 100 Continue"),
            BeforeTheBody => stream.read_exact(&mut [0; OK.len()]).expect("cannot read the answer"),
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
            stream.read_exact(&mut [0; OK.len()]).expect("cannot read the answer");
        }
    }
}

/// Uploads on one connection for each kind of answer.
fn uploads(framing: Framing) -> Conversation {
    converse(&Machine::shared(), 3, serve, |peer| {
        for answers in [WhenAllIsThere, AfterContinue, BeforeTheBody] {
            upload(&mut peer.connect(), answers, framing);
        }
    })
}

const BODIES: u64 = LIKE_REQUESTS.len() as u64;

#[test]
fn bodies_with_a_length_are_not_requests() {
    uploads(ByLength).assert_exact(3 * BODIES, "plain");
}

#[test]
fn chunked_bodies_are_not_requests() {
    uploads(InChunks).assert_exact(3 * BODIES, "plain");
}

/// Only the body itself says where it ends, and the tool does not parse it: a send within it may be a request.
#[test]
fn chunks_in_pieces_are_counted_right_or_marked() {
    let conversation = uploads(InChunksInPieces);
    assert_eq!(conversation.asked, 3 * BODIES, "requests that the peer counted");
    for close in conversation.report.of_type("close") {
        assert!(close["exchanges"] == BODIES || close["exact"] == false, "{close:#}");
    }
}

/// Uploads by curl, which waits for `100 Continue`.
#[test]
fn files_uploaded_by_curl_are_not_requests() {
    let folder = TempDir::new().expect("cannot create a directory");
    let cases = LIKE_REQUESTS.iter().enumerate().flat_map(|(n, line)| {
        let file = folder.path().join(n.to_string());
        fs::write(&file, line.repeat(4_000)).expect("cannot write the file");
        let file = file.display();
        ["", "--header Transfer-Encoding:chunked"].map(|chunked| {
            let expect = format!("--expect100-timeout 10 --header Expect:100-continue {chunked}");
            by_curl("", &expect, &format!("--upload-file {file}"))
        })
    });
    assert_exact(cases.collect::<Vec<_>>());
}

/// A server that answers like this, and then speaks another protocol, in which it answers each message. Each message
/// gets a connection of its own.
fn switched(answer: &'static str, messages: &[&str]) -> Conversation {
    converse(
        &Machine::shared(),
        messages.len() as u64,
        move |mut stream| {
            read_head(&mut stream).expect("cannot read the request");
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
                stream.read_exact(&mut vec![0; answer.len()]).expect("cannot read the answer");
                for _ in 0..LINES {
                    send(&mut stream, message);
                    stream.read_exact(&mut [0; 11]).expect("cannot read the answer");
                }
            }
        },
    )
}

#[test]
fn data_after_an_upgrade_is_not_a_request() {
    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    switched(answer, &LIKE_REQUESTS).assert_exact(BODIES, "plain");
}

/// Docker's server does this for clients that do not support upgrades. Whole request lines are left out, because they
/// would count as requests.
#[test]
fn connection_hijacked_without_an_upgrade_is_counted_right_or_marked() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n";
    let conversation = switched(answer, &LIKE_REQUESTS[2..]);
    for close in conversation.report.of_type("close") {
        assert!(close["exchanges"] == 1 || close["exact"] == false, "{close:#}");
    }
}
