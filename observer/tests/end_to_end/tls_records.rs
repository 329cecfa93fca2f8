//! TLS records after the handshake that belong to TLS itself. In TLS 1.3 they all look like application data:
//! close_notify is no request, even if the other side answers it, and session tickets are no answer.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::Stdio,
    time::Duration,
};

use serde_json::json;

use crate::support::{
    go::Server, machine::Machine, programs::program, report::assert_fields, tool::Process, upload::upload_in_pieces,
};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// openssl sends close_notify, and reads until the server has closed.
fn close_notify_after(requests: u64, version: &str) {
    let machine = Machine::shared();
    let server = Server::start(&format!("-tls {version}"));
    let watch = machine.watch(format!("-p {}", server.port));
    let mut openssl = program("openssl", "openssl");
    openssl.args(["s_client", "-quiet", "-no_ign_eof", "-connect", &server.address().to_string()]);
    let mut client = Process::start(openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()));
    let mut stdin = client.child.stdin.take().expect("the stream is piped");
    let mut answers = BufReader::new(client.child.stdout.take().expect("the stream is piped")).lines();
    for _ in 0..requests {
        stdin.write_all(REQUEST.as_bytes()).expect("cannot write to openssl");
        let mut headers = answers.by_ref().map(|line| line.expect("the answer is UTF-8"));
        assert!(headers.any(|line| line.is_empty()), "an answer has headers");
    }
    drop(stdin);
    client.wait(Duration::from_mins(2));
    let truth = server.truth();
    assert_eq!((truth.connections, truth.requests), (1, requests), "counts of the server");
    let report = watch.end();
    report.assert_complete();
    let unused = u64::from(requests == 0);
    report.assert_totals(&json!({ "opened": 1, "exchanges": requests, "new": 1 - unused, "unused": unused }));
    assert_fields(report.only("close"), &json!({ "protocol": "tls", "exact": true }));
}

#[test]
fn close_notify_without_a_request_is_no_exchange() {
    close_notify_after(0, "1.2");
    close_notify_after(0, "1.3");
}

#[test]
fn close_notify_after_requests_is_no_exchange() {
    close_notify_after(3, "1.2");
    close_notify_after(3, "1.3");
}

/// The client reads the tickets while it is still sending.
#[test]
fn tickets_during_an_upload_are_no_answer_or_marked() {
    for version in ["1.2", "1.3"] {
        let machine = Machine::shared();
        let server = Server::start(&format!("-tls {version}"));
        let watch = machine.watch(format!("-p {}", server.port));
        let mut curl = program("curl", "curl");
        curl.args(["--silent", "--insecure", "--http1.1", "--noproxy", "*", "--output", "/dev/null"]);
        curl.arg(format!("https://{}/", server.address()));
        upload_in_pieces(curl);
        let truth = server.truth();
        assert_eq!((truth.connections, truth.requests), (1, 1), "counts of the server");
        let report = watch.end();
        report.assert_totals(&json!({ "opened": 1, "closed": 1, "new": 1, "unused": 0 }));
        let close = report.only("close");
        assert!(close["exchanges"] == 1 || close["exact"] == false, "TLS {version}: {close:#}");
    }
}
