//! Connections that begin with HTTP and continue with another protocol. A web socket is one exchange, the upgrade,
//! where the upgrade is visible.

use std::io::Read as _;

use serde_json::{Value, json};

use crate::support::{
    certificate::Certificate,
    conversation::converse_once,
    dialogue::Dialogue,
    http::{read_head, send},
    machine::Machine,
    python::python,
    report::{Report, assert_fields},
};

/// Watches one web socket with 20 messages and their answers.
fn messages(certificate: Option<&Certificate>) -> Report {
    let machine = Machine::shared();
    let mut program = python("web_socket.py");
    if let Some(certificate) = certificate {
        program.arg("--certificate").arg(certificate.path());
    }
    let mut both = Dialogue::start(&mut program);
    let parse = |line: String| serde_json::from_str::<Value>(&line).expect("the program writes JSON");
    let port = parse(both.next_line())["port"].as_u64().expect("a number");
    let watch = machine.watch(format!("-p {port}"));
    both.send_line("go on");
    assert_eq!(parse(both.next_line()), json!({ "upgrades": 1, "messages": 20 }), "counts of the server");
    both.end();
    let report = watch.end();
    report.assert_totals(&json!({ "opened": 1, "closed": 1, "failed": 0, "new": 1 }));
    report
}

#[test]
fn web_socket_in_the_clear_is_one_exchange() {
    let report = messages(None);
    report.assert_totals(&json!({ "exchanges": 1, "reused": 0 }));
    assert_fields(
        report.only("close"),
        &json!({ "exchanges": 1, "exact": true, "protocol": "plain", "application": "websocket" }),
    );
    report.assert_complete();
}

/// Within TLS, messages that are too small for requests reveal that the protocol is not HTTP.
#[test]
fn web_socket_within_tls_is_marked() {
    let report = messages(Some(&Certificate::new()));
    assert_fields(report.only("close"), &json!({ "exact": false, "protocol": "tls" }));
    assert_eq!(report.summary["exact"], false, "{:#}", report.summary);
}

/// A frame begins with its opcode, which no HTTP method begins with.
#[test]
fn minimal_web_socket_is_one_exchange() {
    const ASKS: [u8; 9] = [0x81, 0x83, 1, 2, 3, 4, 9, 9, 9];
    const TELLS: [u8; 4] = [0x81, 2, b'h', b'i'];
    const UPGRADED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";
    let conversation = converse_once(
        |mut stream| {
            read_head(&mut stream).expect("cannot read the upgrade request");
            send(&mut stream, UPGRADED);
            while stream.read_exact(&mut [0; ASKS.len()]).is_ok() {
                send(&mut stream, TELLS);
            }
            1
        },
        |mut stream| {
            send(&mut stream, "GET /chat HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n");
            stream.read_exact(&mut [0; UPGRADED.len()]).expect("cannot read the answer");
            for _ in 0..50 {
                send(&mut stream, ASKS);
                stream.read_exact(&mut [0; TELLS.len()]).expect("cannot read the message");
            }
        },
    );
    conversation.assert_exact(1, "plain");
    conversation.report.assert_totals(&json!({ "reused": 0, "reuse_ratio": 0.0 }));
}

/// Python's websocket-client reads the answer to its upgrade byte by byte, so the hooks see too little at a time to
/// parse it.
#[test]
fn upgrade_read_byte_by_byte_is_counted_right_or_marked() {
    let conversation = converse_once(
        |mut stream| {
            read_head(&mut stream).expect("cannot read the upgrade request");
            send(&mut stream, "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n");
            while stream.read_exact(&mut [0; 5]).is_ok() {
                send(&mut stream, "fine");
            }
            1
        },
        |mut stream| {
            send(&mut stream, "GET /chat HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n");
            read_head(&mut stream).expect("cannot read the answer");
            for _ in 0..5 {
                send(&mut stream, b"\x81\x03GET");
                stream.read_exact(&mut [0; 4]).expect("cannot read the message");
            }
        },
    );
    let close = conversation.report.only("close");
    assert!(close["exchanges"] == 1 || close["exact"] == false, "{close:#}");
}

/// After the upgrade, requests are interleaved.
#[test]
fn upgrade_to_http2_is_marked() {
    /// The frame heads of HEADERS and of DATA; the frames have no payload.
    const REQUEST: [u8; 9] = [0, 0, 0, 1, 5, 0, 0, 0, 3];
    const ANSWER: [u8; 9] = [0, 0, 0, 0, 1, 0, 0, 0, 3];
    const UPGRADED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";
    let conversation = converse_once(
        |mut stream| {
            read_head(&mut stream).expect("cannot read the upgrade request");
            send(&mut stream, UPGRADED);
            stream.read_exact(&mut [0; 24]).expect("cannot read the preface");
            let mut requests = 1;
            send(&mut stream, ANSWER);
            while stream.read_exact(&mut [0; REQUEST.len()]).is_ok() {
                requests += 1;
                send(&mut stream, ANSWER);
            }
            requests
        },
        |mut stream| {
            send(&mut stream, "GET / HTTP/1.1\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n\r\n");
            stream.read_exact(&mut [0; UPGRADED.len()]).expect("cannot read the answer");
            send(&mut stream, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
            stream.read_exact(&mut [0; ANSWER.len()]).expect("cannot read the answer");
            for _ in 0..5 {
                send(&mut stream, REQUEST);
                stream.read_exact(&mut [0; ANSWER.len()]).expect("cannot read the answer");
            }
        },
    );
    assert_eq!(conversation.asked, 6, "requests that the peer counted");
    conversation.assert_marked();
}
