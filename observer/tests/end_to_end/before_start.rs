//! Connections that are held across the start of the watch: what they spoke before is not known, and their first send that
//! is seen has to tell. Where it cannot, it is said. See before.rs for how they are taken over.

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
        sockets,
    },
};

#[track_caller]
fn assert_taken_over(report: &Report) {
    report.assert_totals(&json!({ "pre_existing": 1, "opened": 0, "closed": 1, "failed": 0 }));
    assert_fields(report.only("close"), &json!({ "pre_existing": true }));
}

/// Its type, its flags, the number of its stream, and what is in it (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let [_, high, middle, low] = (payload.len() as u32).to_be_bytes();
    [&[high, middle, low, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// A client of HTTP/2 in the clear, as far as it is needed.
struct Http2(TcpStream);

impl Http2 {
    fn connect(port: u16) -> Self {
        const SETTINGS: u8 = 4;
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("nghttpd listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout can be set");
        let begin = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &[])].concat();
        stream.write_all(&begin).expect("it can be sent");
        let mut client = Self(stream);
        while client.read_frame() != (SETTINGS, 0) {}
        client.0.write_all(&frame(SETTINGS, 1, 0, &[])).expect("it can be sent");
        client
    }

    /// Its type and its flags.
    fn read_frame(&mut self) -> (u8, u8) {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).expect("a frame comes");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        self.0.read_exact(&mut vec![0; length as usize]).expect("the whole frame comes");
        (head[3], head[4])
    }

    /// Asks on all of these streams, and then reads the answers.
    fn ask(&mut self, streams: &[u8]) {
        const HEADERS: u8 = 1;
        const DATA: u8 = 0;
        // GET, http, /, and the authority, of HPACK's table.
        let fields = [&[0x82, 0x86, 0x84, 0x41, 9], b"localhost".as_slice()].concat();
        let requests: Vec<u8> = streams.iter().flat_map(|stream| frame(HEADERS, 5, *stream, &fields)).collect();
        self.0.write_all(&requests).expect("it can be sent");
        let mut open = streams.len();
        while open > 0 {
            let (kind, flags) = self.read_frame();
            open -= usize::from((kind == DATA || kind == HEADERS) && flags & 1 == 1);
        }
    }
}

/// One request before the start, and these behind it.
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
    assert_eq!(logged(&nghttpd.read("log")), (1, 1 + requests), "what nghttpd logged");
    let report = watch.end();
    assert_taken_over(&report);
    assert_fields(report.only("close"), &json!({ "exact": false }));
    assert_eq!(report.summary["exact"], false, "{:#}", report.summary);
    report.assert_totals(&json!({ "inexact": report.total("exchanges") }));
}

#[test]
fn http2_in_the_clear_is_marked() {
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
    let said = |line: String| serde_json::from_str::<Value>(&line).expect("it speaks JSON");
    let port = said(both.hear())["port"].as_u64().expect("a number");
    let watch = machine.watch(format!("-p {port}"));
    both.say("go on");
    assert_eq!(said(both.hear()), json!({ "upgrades": 1, "messages": 20 }), "what the server counted");
    both.end();
    let report = watch.end();
    assert_taken_over(&report);
    report.assert_marked(protocol, None);
}

#[test]
fn a_web_socket_is_marked() {
    by_web_socket(None, "plain");
}

#[test]
fn a_web_socket_within_tls_is_marked() {
    by_web_socket(Some(&Certificate::new()), "tls");
}

/// Its hello was not seen: what is spoken within it could be anything.
#[test]
fn tls_is_marked() {
    for version in ["1.2", "1.3"] {
        let machine = Machine::shared();
        let server = Server::start(&format!("-tls {version}"));
        let mut client = python("tls_client.py");
        let mut client = Dialogue::start(client.args([&server.port.to_string(), "--held", "--alpn", "--times", "4"]));
        client.hear_of("held");
        let watch = machine.watch(format!("-p {}", server.port));
        client.say("go on");
        client.end();
        let truth = server.truth();
        assert_eq!((truth.connections, truth.requests), (1, 4), "what the server counted");
        let report = watch.end();
        assert_taken_over(&report);
        report.assert_marked("tls", None);
        report.assert_totals(&json!({ "exchanges": 3 }));
    }
}

/// A program that is spoken to in lines, and answers each with one: once before the start, and three times after it.
fn by_lines(mut client: Command, port: u16, [line, answer]: [&str; 2]) -> Report {
    let machine = Machine::shared();
    let mut client = Dialogue::start(&mut client);
    let mut ask = || {
        client.say(line);
        assert!(client.hear().contains(answer), "{line}");
    };
    ask();
    let watch = machine.watch(format!("-p {port}"));
    (0..3).for_each(|_| ask());
    client.end();
    // Its server may close later.
    eventually("the client's socket is gone", || sockets::states(port).iter().all(|state| state == sockets::TIME_WAIT));
    let report = watch.end();
    assert_taken_over(&report);
    report.assert_totals(&json!({ "exchanges": 3, "reused": 3 }));
    report
}

#[test]
fn redis_is_recognised() {
    let redis = Redis::start();
    let mut client = program("redis-cli", "redis-tools");
    client.args(["-p", &redis.port.to_string()]);
    by_lines(client, redis.port, ["ECHO hello", "hello"]).assert_recognised("redis");
    assert_eq!(redis.truth().connections, 1, "what Redis counted");
}

#[test]
fn postgresql_is_recognised() {
    let cluster = Cluster::start("trust", "off");
    by_lines(cluster.psql(), cluster.port, ["SELECT 42;", "42"]).assert_recognised("postgresql");
    assert_eq!(cluster.statements(), [4]);
}
