//! Reasons for opens and closes: `why`, `replaced_cause` and `cause` of each connection and their counts, compared with
//! the known behaviour of the test, a server or curl.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Stdio,
    thread::sleep,
    time::Duration,
};

use rustix::net::{Shutdown, shutdown};
use serde_json::{Value, json};

use crate::support::{
    go::{self, Server},
    machine::Machine,
    peer::{Peer, ask, connect, read_answer, read_request, send_answer, send_request},
    programs::{output_of, program},
    report::{Report, assert_fields},
    sockets::reset_on_close,
    tool::Process,
};

/// Longer than the limit for "after the response".
const IDLE: Duration = Duration::from_millis(150);

/// The reasons of all open rows, in order.
fn reasons(report: &Report) -> Vec<&Value> {
    report.of_type("open").into_iter().map(|open| &open["why"]).collect()
}

/// Watches one connection on which the client does `act` and the peer `talk`, and returns the cause of its close.
fn cause(talk: impl Fn(TcpStream) + Send + Sync + 'static, act: impl FnOnce(TcpStream)) -> Value {
    let (machine, peer) = (Machine::shared(), Peer::new(talk));
    let watch = machine.watch(format!("-p {}", peer.port()));
    act(peer.connect());
    peer.wait_until_gone(1);
    let report = watch.end();
    let cause = report.only("close")["cause"].clone();
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_eq!(group["closes"], json!({ cause.as_str().expect("the cause is a string"): 1 }), "{group:#}");
    assert_eq!(group["why"], json!({ "first": 1 }), "{group:#}");
    cause
}

fn echo(mut stream: TcpStream) {
    crate::support::peer::echo(stream.try_clone().expect("cannot duplicate the socket"));
    // Waits until the client has closed as well.
    let _ = stream.read(&mut [0]);
}

#[test]
fn existing_connections_determine_the_reason_of_an_open() {
    let (machine, peer) = (Machine::shared(), Peer::echo());
    let watch = machine.watch(format!("-p {}", peer.port()));
    let mut used = peer.connect();
    ask(&mut used);
    let missed = peer.connect();
    send_request(&mut used);
    let beside = peer.connect();
    read_answer(&mut used);
    let missed_too = peer.connect();
    drop((used, missed, beside, missed_too));
    peer.wait_for_done(4);
    let mut replacement = peer.connect();
    ask(&mut replacement);
    drop(replacement);
    peer.wait_for(5);
    let report = watch.end();
    assert_eq!(reasons(&report), ["first", "missed-reuse", "concurrency", "missed-reuse", "replaced"]);
    report.assert_totals(&json!({ "opened": 5, "missed": 2, "unused": 3 }));
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_eq!(group["why"], json!({ "first": 1, "concurrency": 1, "missed-reuse": 2, "replaced": 1 }));
    assert_eq!(group["closes"], json!({ "unused": 3, "closed-after-response": 2 }));
}

/// Each connection replaces one whose answer was left unread.
#[test]
fn unread_answers_are_the_cause_of_replacements() {
    let machine = Machine::shared();
    let server = Server::start("-body 2097152");
    let watch = machine.watch(format!("-p {}", server.port));
    let mut client = Process::start(&mut go::client(&format!("-url http://{} -stay 200ms", server.address())));
    assert!(client.wait(Duration::from_mins(2)).success(), "the client failed");
    assert_eq!(server.truth().connections, 10, "counts of the server");
    let report = watch.end();
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_eq!(group["closes"], json!({ "unread-response": 10 }));
    let opens = report.of_type("open");
    assert_fields(opens[0], &json!({ "why": "first", "replaced_cause": null }));
    for open in &opens[1..] {
        // Go closes in the background, so the next connect may come before or during the close, or before more of the
        // answer has arrived.
        assert_ne!(open["why"], "first", "{open:#}");
        let cause = &open["replaced_cause"];
        assert!(cause.is_null() || open["why"] == "replaced" && cause == "unread-response", "{open:#}");
    }
}

/// All requests are concurrent, so no connection could have been reused. The ring is too small for the rows, but the
/// kernel keeps the counts.
#[test]
fn fifty_concurrent_first_requests_over_tls_are_no_missed_reuse() {
    let machine = Machine::shared();
    let server = Server::start("-tls 1.3 -body 1000");
    let watch = machine.watch(format!("-p {} --ring-size 4096", server.port));
    let mut curl = program("curl", "curl");
    curl.args(["--silent", "--insecure", "--http1.1", "--noproxy", "*", "--output", "/dev/null"]);
    curl.args(["--parallel", "--parallel-immediate", "--parallel-max", "50"]).stderr(Stdio::null());
    output_of(curl.arg(format!("https://{}/[1-50]", server.address())));
    let truth = server.truth();
    assert_eq!((truth.connections, truth.requests), (50, 50), "counts of the server");
    let report = watch.end();
    report.assert_totals(&json!({ "opened": 50, "closed": 50, "exchanges": 50, "new": 50, "missed": 0 }));
    assert!(report.total("events_lost") > 0, "{:#}", report.summary);
    assert_eq!(report.summary["exact"], true);
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_eq!(group["why"], json!({ "first": 1, "concurrency": 49 }));
    assert_eq!(group["exchanges_per_connection"]["1"], 50);
    let closes = group["closes"].as_object().expect("an object");
    assert_eq!(closes.values().filter_map(Value::as_u64).sum::<u64>(), 50, "{group:#}");
}

#[test]
fn local_close_after_the_answer() {
    let used = |mut stream: TcpStream| ask(&mut stream);
    assert_eq!(cause(echo, used), "closed-after-response");
}

#[test]
fn local_close_after_a_pause() {
    let used = |mut stream: TcpStream| {
        ask(&mut stream);
        sleep(IDLE);
    };
    assert_eq!(cause(echo, used), "client-idle");
}

/// A peer that answers once, waits, and closes first.
fn closes_after(pause: Duration) -> impl Fn(TcpStream) + Send + Sync + 'static {
    move |mut stream| {
        read_request(&mut stream);
        send_answer(&mut stream);
        sleep(pause);
    }
}

/// Sends one request, and reads to the end of the stream.
fn until_the_end(mut stream: TcpStream) {
    ask(&mut stream);
    assert_eq!(stream.read(&mut [0]).expect("cannot read to the peer's FIN"), 0);
}

#[test]
fn server_close_after_the_answer() {
    assert_eq!(cause(closes_after(Duration::ZERO), until_the_end), "server-closed-after-response");
}

#[test]
fn server_close_after_a_pause() {
    assert_eq!(cause(closes_after(IDLE), until_the_end), "server-idle");
}

#[test]
fn connection_without_a_request_is_unused() {
    assert_eq!(cause(echo, drop), "unused");
}

/// The client closes with a FIN, and more of the answer arrives: it is unread, although no byte of it was accepted.
#[test]
fn answer_that_continues_after_the_close_is_unread() {
    let server = |mut stream: TcpStream| {
        read_request(&mut stream);
        send_answer(&mut stream);
        // Waits for the client's FIN.
        assert_eq!(stream.read(&mut [0]).expect("cannot read to the client's FIN"), 0);
        stream.write_all(b"and more").expect("cannot send");
    };
    assert_eq!(cause(server, |mut stream| ask(&mut stream)), "unread-response");
}

/// An answer that is read after the client's own FIN is not unread.
#[test]
fn answer_read_after_a_half_close_is_not_unread() {
    let server = |mut stream: TcpStream| {
        stream.read_to_end(&mut Vec::new()).expect("cannot read to the client's FIN");
        send_answer(&mut stream);
    };
    let half_closed = |mut stream: TcpStream| {
        send_request(&mut stream);
        shutdown(&stream, Shutdown::Write).expect("cannot shut down the stream");
        read_answer(&mut stream);
        assert_eq!(stream.read(&mut [0]).expect("cannot read to the server's FIN"), 0);
    };
    assert_eq!(cause(server, half_closed), "closed-after-response");
}

#[test]
fn local_reset_is_an_abort() {
    let used = |mut stream: TcpStream| {
        ask(&mut stream);
        reset_on_close(&stream);
    };
    assert_eq!(cause(echo, used), "aborted");
}

#[test]
fn server_reset_is_reset_by_peer() {
    let server = |mut stream: TcpStream| {
        read_request(&mut stream);
        send_answer(&mut stream);
        read_request(&mut stream);
        reset_on_close(&stream);
    };
    let used = |mut stream: TcpStream| {
        ask(&mut stream);
        send_request(&mut stream);
        stream.read(&mut [0]).expect_err("the server should reset the connection");
    };
    assert_eq!(cause(server, used), "reset-by-peer");
}

/// The client is killed while it holds a connection.
#[test]
fn killed_process_closes_with_process_exit() {
    let (machine, peer) = (Machine::shared(), Peer::echo());
    let watch = machine.watch(format!("-p {}", peer.port()));
    let script = format!(
        "import socket, time\ns = socket.create_connection(('127.0.0.1', {}))\ns.sendall(b'GET / HTTP/1.1\\r\\n\\r\\n')\ns.recv(18, socket.MSG_WAITALL)\nprint('done', flush=True)\ntime.sleep(60)",
        peer.port()
    );
    let mut python = program("python3", "python3");
    let mut client = Process::start(python.args(["-c", &script]).stdout(Stdio::piped()));
    client.child.stdout.take().expect("stdout is piped").read_exact(&mut [0; 4]).expect("cannot read from the client");
    drop(client);
    peer.wait_for(1);
    assert_fields(watch.end().only("close"), &json!({ "cause": "process-exit", "exchanges": 1 }));
}

/// The watch knows neither why a pre-existing connection was opened nor how long it was idle.
#[test]
fn pre_existing_connection_has_no_reason() {
    let (machine, peer) = (Machine::shared(), Peer::echo());
    let mut stream = connect(peer.address);
    ask(&mut stream);
    let watch = machine.watch(format!("-p {}", peer.port()));
    let missed = peer.connect();
    drop((stream, missed));
    peer.wait_for(2);
    let report = watch.end();
    let before = report
        .of_type("close")
        .into_iter()
        .find(|close| close["pre_existing"] == true)
        .expect("the pre-existing connection has closed");
    assert_fields(before, &json!({ "why": null, "replaced_cause": null }));
    assert_fields(report.only("open"), &json!({ "why": "missed-reuse" }));
}
