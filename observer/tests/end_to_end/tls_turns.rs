//! TLS messages besides requests and answers: certificates, retries, tickets and alerts, with OpenSSL through Python
//! and curl, and with Go. The server counts independently.

use std::{
    fs,
    net::TcpStream,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::support::{
    certificate::Certificate,
    clients::{assert_exact, assert_exact_or_marked, by_curl, by_go, by_python},
    dialogue::Dialogue,
    eventually,
    machine::Machine,
    programs::program,
    report::assert_fields,
    sockets::ReservedPort,
};

#[test]
fn client_certificates_are_no_exchange() {
    let certificate = Certificate::new();
    let cert = certificate.path().display().to_string();
    assert_exact(["1.2", "1.3"].into_iter().flat_map(|version| {
        let server = format!("-tls {version} -client-cert");
        [
            by_python(&server, &format!("--cert {cert}")),
            by_python(&server, &format!("--cert {cert} --tickets-first")),
            by_curl(&server, &format!("--cert {cert}"), ""),
            by_go(&server, &format!("-read -cert {cert}")),
            by_go(&format!("{server} -body 1048576"), &format!("-cert {cert}")),
        ]
    }));
}

/// The second ClientHello follows a change_cipher_spec, and the Finished message then has none.
#[test]
fn hello_retry_request_is_no_exchange() {
    const RETRY: &str = "-tls 1.3 -retry";
    assert_exact([
        by_python(RETRY, ""),
        by_python(RETRY, "--tickets-first"),
        by_python(RETRY, "--tickets-first").without_requests(),
        by_python(RETRY, "--no-middlebox --tickets-first"),
        by_curl(RETRY, "--curves X25519:P-384", ""),
        by_go(RETRY, "-read"),
        by_go(RETRY, "-read -sessions"),
    ]);
}

#[test]
fn hello_retry_request_with_a_client_certificate_is_no_exchange() {
    const RETRY: &str = "-tls 1.3 -retry -client-cert";
    let certificate = Certificate::new();
    let cert = certificate.path().display().to_string();
    assert_exact([
        by_python(RETRY, &format!("--cert {cert}")),
        by_python(RETRY, &format!("--tickets-first --cert {cert}")),
        by_python(RETRY, &format!("--tickets-first --no-middlebox --cert {cert}")),
        by_curl(RETRY, &format!("--cert {cert} --curves X25519:P-384"), ""),
        by_go(RETRY, &format!("-read -cert {cert}")),
    ]);
}

/// The change_cipher_spec only exists for middleboxes.
#[test]
fn finished_without_change_cipher_spec_is_no_exchange() {
    let certificate = Certificate::new();
    let cert = certificate.path().display().to_string();
    assert_exact([
        by_python("-tls 1.3", "--no-middlebox"),
        by_python("-tls 1.3", "--no-middlebox --alpn"),
        by_python("-tls 1.3", "--no-middlebox --tickets-first"),
        by_python("-tls 1.3", "--no-middlebox --tickets-first").without_requests(),
        by_python("-tls 1.3 -client-cert", &format!("--no-middlebox --cert {cert}")),
        by_python("-tls 1.3 -client-cert", &format!("--no-middlebox --tickets-first --cert {cert}")),
    ]);
}

#[test]
fn tickets_read_on_their_own_are_no_answer() {
    assert_exact([
        by_python("-tls 1.3", "--tickets-first"),
        by_python("-tls 1.3", "--tickets-first --alpn"),
        by_python("-tls 1.3", "--tickets-first").without_requests(),
        by_go("-tls 1.3", "-read -sessions"),
    ]);
}

#[test]
fn requests_in_resumed_sessions_are_exact() {
    assert_exact(["1.2", "1.3"].map(|version| by_go(&format!("-tls {version} -body 1048576"), "-sessions")));
}

/// In TLS 1.3 an alert looks like application data.
#[test]
fn close_notify_is_no_exchange() {
    assert_exact(["-tls 1.2", "-tls 1.3"].into_iter().flat_map(|server| {
        [
            by_python(server, "--unwrap"),
            by_python(server, "--unwrap --alpn"),
            by_python(server, "--unwrap").without_requests(),
            by_python(server, "--unwrap --tickets-first").without_requests(),
        ]
    }));
}

#[test]
fn uploads_over_tls_are_exact() {
    assert_exact(["1.2", "1.3"].into_iter().flat_map(|version| {
        let server = format!("-tls {version}");
        [
            by_python(&server, "--upload 3000000"),
            by_python(&server, "--upload 3000 --alpn"),
            by_go(&server, "-read -upload 3000000"),
            by_go(&server, "-read -upload 3000 -alpn"),
        ]
    }));
}

/// Go reads continuously, so it also reads the tickets during an upload.
#[test]
fn tickets_read_during_an_upload_are_no_answer() {
    assert_exact([
        by_go("-tls 1.3", "-read -sessions -upload 3000000"),
        by_go("-tls 1.3", "-read -sessions -upload 3000000 -alpn"),
    ]);
}

/// The program sends its body later. The tickets that it reads in between look like an answer.
#[test]
fn tickets_between_head_and_body_are_counted_right_or_marked() {
    const LATER: &str = "--upload 3000 --tickets-between";
    assert_exact_or_marked(["", "--alpn"].map(|alpn| by_python("-tls 1.3", &format!("{LATER} {alpn}"))));
}

#[test]
fn small_answers_over_tls_are_exact() {
    assert_exact(["1.2", "1.3"].into_iter().flat_map(|version| {
        let server = format!("-tls {version} -body 0");
        [
            by_python(&server, ""),
            by_python(&server, "--alpn"),
            by_curl(&server, "", ""),
            by_go(&server, "-read"),
            by_go(&server, "-read -alpn"),
        ]
    }));
}

/// Early data cannot be distinguished from the handshake's own messages.
#[test]
fn early_data_is_marked() {
    let machine = Machine::shared();
    let certificate = Certificate::new();
    let address = ReservedPort::new().address;
    let mut server = openssl("s_server");
    server.args(["-accept", &address.to_string(), "-early_data", "-cert"]).arg(certificate.path());
    let mut server = Dialogue::start(&mut server);
    eventually("the server listens", || TcpStream::connect(address).is_ok());
    let session = certificate.folder().join("session");
    let request = certificate.folder().join("request");
    fs::write(&request, "early question\n").expect("cannot write the file");
    let client = || {
        let mut client = openssl("s_client");
        client.args(["-connect", &address.to_string()]);
        client
    };

    let mut first = Dialogue::start(client().arg("-sess_out").arg(&session));
    eventually("the client has stored a ticket", || fs::metadata(&session).is_ok_and(|file| file.len() > 0));
    first.end();

    let watch = machine.watch(format!("-p {}", address.port()));
    let mut second = client();
    second.arg("-sess_in").arg(&session).arg("-early_data").arg(&request);
    let mut second = Dialogue::start(&mut second);
    server.wait_for_line("early question");
    server.send_line("answer");
    second.wait_for_line("Early data was accepted");
    second.wait_for_line("answer");
    second.send_line("next question");
    server.wait_for_line("next question");
    server.send_line("next answer");
    second.wait_for_line("next answer");
    second.end();
    let report = watch.end();
    report.assert_totals(&json!({ "opened": 1, "closed": 1, "failed": 0 }));
    assert_fields(report.only("close"), &json!({ "protocol": "tls", "exact": false }));
    assert_eq!(report.summary["exact"], false, "{:#}", report.summary);
}

fn openssl(command: &str) -> Command {
    let mut openssl = program("openssl", "openssl");
    openssl.arg(command).stderr(Stdio::null());
    openssl
}
