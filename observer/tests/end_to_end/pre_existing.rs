//! Protocols of pre-existing connections. Their past is unknown, so the first send that the watch sees has to reveal
//! the protocol; where it cannot, the counts are marked. See take_over.rs for the take-over itself.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    http2::{logged, nghttpd},
    postgresql::Cluster,
    redis::Redis,
    support::{
        certificate::Certificate,
        dialogue::Dialogue,
        eventually,
        go::Server,
        machine::Machine,
        programs::program,
        python::python,
        report::{Report, assert_fields},
        socket_table,
    },
};

#[track_caller]
fn assert_taken_over(report: &Report) {
    report.assert_totals(&json!({ "pre_existing": 1, "opened": 0, "closed": 1, "failed": 0 }));
    assert_fields(report.only("close"), &json!({ "pre_existing": true }));
}

/// Builds a frame: type, flags, stream and payload (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let [_, high, middle, low] = (payload.len() as u32).to_be_bytes();
    [&[high, middle, low, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// A minimal HTTP/2 client in the clear.
struct Http2(TcpStream);

impl Http2 {
    fn connect(port: u16) -> Self {
        const SETTINGS: u8 = 4;
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("cannot connect to nghttpd");
        stream.set_read_timeout(Some(Duration::from_mins(2))).expect("cannot set the timeout");
        let begin = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &[])].concat();
        stream.write_all(&begin).expect("cannot send");
        let mut client = Self(stream);
        while client.read_frame() != (SETTINGS, 0) {}
        client.0.write_all(&frame(SETTINGS, 1, 0, &[])).expect("cannot send");
        client
    }

    /// Reads a frame, and returns its type and flags.
    fn read_frame(&mut self) -> (u8, u8) {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).expect("cannot read the frame header");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        self.0.read_exact(&mut vec![0; length as usize]).expect("cannot read the payload");
        (head[3], head[4])
    }

    /// Sends a request on each of these streams, then reads the answers.
    fn ask(&mut self, streams: &[u8]) {
        const HEADERS: u8 = 1;
        const DATA: u8 = 0;
        // GET, http and / from HPACK's static table, and a literal authority.
        let fields = [&[0x82, 0x86, 0x84, 0x41, 9], b"localhost".as_slice()].concat();
        let requests: Vec<u8> = streams.iter().flat_map(|stream| frame(HEADERS, 5, *stream, &fields)).collect();
        self.0.write_all(&requests).expect("cannot send");
        let mut open = streams.len();
        while open > 0 {
            let (kind, flags) = self.read_frame();
            open -= usize::from((kind == DATA || kind == HEADERS) && flags & 1 == 1);
        }
    }
}

/// Sends one request before the start, and these batches after it.
fn by_http2(batches: &[&[u8]]) {
    let machine = Machine::shared();
    let (nghttpd, _, port) = nghttpd();
    let mut client = Http2::connect(port);
    client.ask(&[1]);
    let watch = machine.watch(format!("-p {port}"));
    for streams in batches {
        client.ask(streams);
    }
    drop(client);
    nghttpd.wait_for_closes(port);
    let requests = batches.concat().len() as u64;
    assert_eq!(logged(&nghttpd.read("log")), (1, 1 + requests), "counts in the log of nghttpd");
    let report = watch.end();
    assert_taken_over(&report);
    assert_fields(report.only("close"), &json!({ "exact": false }));
    assert_eq!(report.summary["exact"], false, "{:#}", report.summary);
    report.assert_totals(&json!({ "inexact": report.total("exchanges") }));
}

#[test]
fn pre_existing_http2_in_the_clear_is_marked() {
    by_http2(&[&[3], &[5], &[7], &[9], &[11]]);
    by_http2(&[&[3, 5, 7, 9, 11]]);
}

fn by_web_socket(certificate: Option<&Certificate>, protocol: &str) {
    let machine = Machine::shared();
    let mut program = python("web_socket.py");
    program.arg("--held");
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
    assert_taken_over(&report);
    report.assert_marked(protocol, None);
}

#[test]
fn pre_existing_web_socket_is_marked() {
    by_web_socket(None, "plain");
}

#[test]
fn pre_existing_web_socket_within_tls_is_marked() {
    by_web_socket(Some(&Certificate::new()), "tls");
}

/// The watch has not seen the ClientHello, so TLS may carry any protocol.
#[test]
fn pre_existing_tls_is_marked() {
    for version in ["1.2", "1.3"] {
        let machine = Machine::shared();
        let server = Server::start(&format!("-tls {version}"));
        let mut client = python("tls_client.py");
        let mut client = Dialogue::start(client.args([&server.port.to_string(), "--held", "--alpn", "--times", "4"]));
        client.wait_for_line("held");
        let watch = machine.watch(format!("-p {}", server.port));
        client.send_line("go on");
        client.end();
        let truth = server.truth();
        assert_eq!((truth.connections, truth.requests), (1, 4), "counts of the server");
        let report = watch.end();
        assert_taken_over(&report);
        report.assert_marked("tls", None);
        report.assert_totals(&json!({ "exchanges": 3 }));
    }
}

/// A program that answers each line with a line: once before the start, and three times after it.
fn by_lines(mut client: Command, port: u16, [line, answer]: [&str; 2]) -> Report {
    let machine = Machine::shared();
    let mut client = Dialogue::start(&mut client);
    let mut ask = || {
        client.send_line(line);
        assert!(client.next_line().contains(answer), "{line}");
    };
    ask();
    let watch = machine.watch(format!("-p {port}"));
    (0..3).for_each(|_| ask());
    client.end();
    // The server may close its end later.
    eventually("the client's socket is gone", || {
        socket_table::states(port).iter().all(|state| state == socket_table::TIME_WAIT)
    });
    let report = watch.end();
    assert_taken_over(&report);
    report.assert_totals(&json!({ "exchanges": 3, "reused": 3 }));
    report
}

#[test]
fn pre_existing_redis_is_recognised() {
    let redis = Redis::start();
    let mut client = program("redis-cli", "redis-tools");
    client.args(["-p", &redis.port.to_string()]);
    by_lines(client, redis.port, ["ECHO hello", "hello"]).assert_recognised("redis");
    assert_eq!(redis.truth().connections, 1, "counts of Redis");
}

#[test]
fn pre_existing_postgresql_is_recognised() {
    let cluster = Cluster::start("trust", "off");
    by_lines(cluster.psql(), cluster.port, ["SELECT 42;", "42"]).assert_recognised("postgresql");
    assert_eq!(cluster.statements(), [4]);
}
