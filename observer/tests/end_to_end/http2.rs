//! HTTP/2 interleaves requests, so connections are exact and exchanges marked, in the clear and within TLS. HTTP/1.1
//! stays exact, even if the client offered HTTP/2.

use std::{
    collections::HashSet,
    fs,
    io::{BufRead as _, Read as _, Write as _},
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{
    go::{self, Server},
    machine::Machine,
    peer::Peer,
    programs::{output_of, program},
    report::{Report, assert_fields},
    service::{self, Service},
    sockets::ReservedPort,
    tool::{Process, RunningWatch},
    upload::upload_in_pieces,
};

const VERSIONS: [&str; 2] = ["1.2", "1.3"];

/// Starts nghttpd in the clear. It logs every frame with its connection's number.
pub(crate) fn nghttpd() -> (Service, String, u16) {
    let (folder, port) = (service::folder(), ReservedPort::new());
    fs::write(folder.path().join("index.html"), "hello").expect("cannot write the file");
    let (number, url) = (port.address.port(), format!("http://{}/", port.address));
    let mut nghttpd = program("nghttpd", "nghttp2-server");
    nghttpd.args(["--no-tls", "--verbose", "--htdocs=.", "--address=127.0.0.1", &number.to_string()]);
    (Service::start(&mut nghttpd, folder, [port]), url, number)
}

/// The numbers of connections and requests in the log.
pub(crate) fn logged(log: &str) -> (u64, u64) {
    let connections: HashSet<&str> =
        log.lines().filter_map(|line| Some(line.strip_prefix("[id=")?.split_once(']')?.0)).collect();
    (connections.len() as u64, log.lines().filter(|line| line.contains(" :method: GET")).count() as u64)
}

/// A client command, and the connections and requests that it makes.
struct Client {
    command: Command,
    connections: u64,
    requests: u64,
}

fn curl(url: &str, option: &str, addresses: u64) -> Client {
    let mut command = program("curl", "curl");
    command.args(["--silent", "--show-error", "--insecure", "--noproxy", "*", option]);
    for _ in 0..addresses {
        command.args(["--output", "/dev/null", url]);
    }
    Client { command, connections: 1, requests: addresses }
}

/// A client with three connections, and this many concurrent requests on each.
fn h2load(url: &str, at_a_time: u64) -> Client {
    let mut command = program("h2load", "nghttp2-client");
    command.args(["-n60", "-c3", &format!("-m{at_a_time}"), url]);
    Client { command, connections: 3, requests: 60 }
}

fn nghttp(url: &str) -> Client {
    let mut command = program("nghttp", "nghttp2-client");
    // nghttp would request the same URL only once.
    command.args(["--null-out", "--no-verify-peer", url, &format!("{url}?2"), &format!("{url}?3")]);
    Client { command, connections: 1, requests: 3 }
}

#[track_caller]
pub(crate) fn assert_http2(report: &Report, connections: u64) {
    report.assert_totals(&json!({ "opened": connections, "closed": connections, "failed": 0, "unused": 0 }));
    report.assert_totals(&json!({ "new": connections, "untracked": 0, "events_lost": 0 }));
    for close in report.of_type("close") {
        assert_fields(close, &json!({ "protocol": "http2", "application": "http2", "exact": false }));
    }
    assert_eq!(report.summary["exact"], false, "{:#}", report.summary);
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert!(group["inexact"].as_u64() > Some(0), "{group:#}");
    assert_eq!(report.total("inexact"), report.total("exchanges"), "{:#}", report.summary);
}

#[test]
fn http2_in_the_clear_is_marked() {
    let machine = Machine::shared();
    for client in [
        // curl 7.88 can send only one request in this mode.
        |url: &str| curl(url, "--http2-prior-knowledge", 1),
        |url: &str| h2load(url, 1),
        |url: &str| h2load(url, 10),
        nghttp,
    ] {
        let (nghttpd, url, port) = nghttpd();
        let mut client = client(&url);
        let watch = machine.watch(format!("-p {port}"));
        output_of(&mut client.command);
        nghttpd.wait_for_closes(port);
        assert_eq!(logged(&nghttpd.read("log")), (client.connections, client.requests), "{:?}", client.command);
        assert_http2(&watch.end(), client.connections);
    }
}

/// The client requests HTTP/2 within HTTP/1.1, and HTTP/2 follows the answer.
#[test]
fn http2_after_an_upgrade_is_marked() {
    // The answer to the upgrade, SETTINGS, and ":status: 200" as the whole answer to the request.
    const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n\
        \0\0\0\x04\0\0\0\0\0\
        \0\0\x01\x01\x05\0\0\0\x01\x88";
    let machine = Machine::shared();
    let peer = Peer::new(|mut stream| {
        assert_ne!(stream.read(&mut [0; 4096]).expect("cannot read the request"), 0);
        stream.write_all(ANSWER).expect("cannot send the answer");
        stream.read_to_end(&mut Vec::new()).expect("cannot read to the client's FIN");
    });
    let watch = machine.watch(format!("-p {}", peer.port()));
    output_of(&mut curl(&format!("http://{}/", peer.address), "--http2", 1).command);
    peer.wait_for(1);
    assert_http2(&watch.end(), 1);
}

/// Watches a client of the Go server within TLS.
fn within_tls(client: impl Fn(&str, &str) -> Client) {
    let machine = Machine::shared();
    for version in VERSIONS {
        let server = Server::start(&format!("-tls {version} -h2 -body 5000"));
        let mut client = client(&format!("https://{}/", server.address()), version);
        let watch = machine.watch(format!("-p {}", server.port));
        output_of(&mut client.command);
        let truth = server.truth();
        assert_eq!((truth.connections, truth.requests), (client.connections, client.requests), "{:?}", client.command);
        assert_http2(&watch.end(), client.connections);
    }
}

#[test]
fn curl_http2_within_tls_is_marked() {
    within_tls(|url, _| curl(url, "--http2", 1));
    within_tls(|url, _| curl(url, "--http2", 5));
}

#[test]
fn h2load_http2_within_tls_is_marked() {
    within_tls(|url, _| h2load(url, 1));
    within_tls(|url, _| h2load(url, 10));
}

/// nghttp offers only HTTP/2.
#[test]
fn nghttp_http2_within_tls_is_marked() {
    within_tls(|url, _| nghttp(url));
}

#[test]
fn go_http2_within_tls_is_marked() {
    within_tls(|url, version| {
        let command = go::client(&format!("-url {url} -tls {version} -h2 -read"));
        Client { command, connections: 1, requests: 10 }
    });
}

/// gRPC clients do this: a client that offers only HTTP/2 is recognised before the first request.
#[test]
fn client_that_offers_only_http2_is_recognised_by_its_handshake() {
    let machine = Machine::shared();
    let server = Server::start("-tls 1.3 -h2");
    let watch = machine.watch(format!("-p {}", server.port));
    let mut openssl = program("openssl", "openssl");
    openssl.args(["s_client", "-alpn", "h2", "-connect", &server.address().to_string()]);
    let mut client = Process::start(openssl.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));
    assert!(client.wait(Duration::from_mins(2)).success(), "the handshake succeeds");
    assert_eq!(server.truth().connections, 1, "counts of the server");
    let report = watch.end();
    report.assert_totals(&json!({ "opened": 1, "closed": 1, "failed": 0 }));
    assert_fields(report.only("close"), &json!({ "protocol": "http2", "exact": false }));
}

/// Watches a client that offers HTTP/2 and HTTP/1.1, and gets HTTP/1.1 from the server.
fn refused(version: &str, connections: u64, requests: u64, client: impl FnOnce(&str)) {
    let machine = Machine::shared();
    let server = Server::start(&format!("-tls {version} -body 5000"));
    let watch = machine.watch(format!("-p {}", server.port));
    client(&server.address().to_string());
    let truth = server.truth();
    assert_eq!((truth.connections, truth.requests), (connections, requests), "counts of the server");
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": connections, "new": connections, "exchanges": requests, "unused": 0 }));
    for close in report.of_type("close") {
        assert_fields(close, &json!({ "protocol": "tls", "exact": true }));
    }
}

#[test]
fn http_1_1_is_exact_even_if_http2_was_offered() {
    for version in VERSIONS {
        refused(version, 1, 5, |address| {
            output_of(&mut curl(&format!("https://{address}/"), "--http2", 5).command);
        });
        refused(version, 1, 10, |address| {
            output_of(&mut go::client(&format!("-url https://{address} -tls {version} -h2 -read")));
        });
        refused(version, 3, 60, |address| {
            output_of(&mut h2load(&format!("https://{address}/"), 1).command);
        });
    }
}

/// 18 bytes: no HTTP/1 request is shorter.
#[test]
fn shortest_http_1_request_is_exact() {
    for version in VERSIONS {
        refused(version, 1, 1, |address| {
            let mut openssl = program("openssl", "openssl");
            openssl.args(["s_client", "-quiet", "-alpn", "h2,http/1.1", "-connect", address]);
            let mut client = Process::start(openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()));
            let mut stdin = client.child.stdin.take().expect("the stream is piped");
            stdin.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("cannot write to openssl");
            let mut answer = Vec::new();
            client
                .child
                .stdout
                .take()
                .expect("stdout is piped")
                .read_to_end(&mut answer)
                .expect("cannot read to the end");
            assert!(answer.starts_with(b"HTTP/1.0 200 OK"), "{}", String::from_utf8_lossy(&answer));
            client.wait(Duration::from_mins(2));
        });
    }
}

/// Pieces of a body are shorter than any request, so they are not counted. (Only TLS 1.2: in TLS 1.3 the client may
/// read the server's tickets between the pieces.)
#[test]
fn upload_in_small_pieces_is_exact() {
    refused("1.2", 1, 1, |address| upload_in_pieces(curl(&format!("https://{address}/"), "--http2", 1).command));
}

#[test]
fn lines_mark_http2_counts_as_inexact() {
    let _machine = Machine::shared();
    let (_nghttpd, url, port) = nghttpd();
    let RunningWatch { mut tool, mut stdout, first: mut text } =
        RunningWatch::start(&format!("--port {port} --output lines"));
    output_of(&mut h2load(&url, 10).command);
    // The server closes its ends after the client has exited.
    while text.matches(" close ").count() < 3 && stdout.read_line(&mut text).expect("the output is UTF-8") > 0 {}
    tool.signal(Signal::INT);
    stdout.read_to_string(&mut text).expect("the output is UTF-8");
    assert_eq!(tool.wait(Duration::from_mins(2)).code(), Some(0));
    let closes: Vec<&str> = text.lines().filter(|line| line.split(' ').nth(1) == Some("close")).collect();
    assert!(closes.len() == 3 && closes.iter().all(|line| line.contains("  HTTP/2, ≈")), "{text}");
    let last = text.lines().last().expect("the output has lines");
    assert!(last.starts_with('≈') && last.contains(": ≈3 on new connections, ≈"), "{text}");
}
