//! How many connections a pool would have saved, for real clients whose use of connections is known. Their servers
//! count independently. The scenarios cover each case on its own, and the floods many connections at a time.

use std::{
    io::{BufRead as _, Read as _},
    process::Command,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::json;

use crate::{
    haproxy, nginx,
    proxies::{self, Refusals},
    support::{
        dialogue::Dialogue,
        go::{self, Server},
        machine::Machine,
        peer::Peer,
        programs::{output_of, program},
        python::python,
        report::{Report, assert_fields},
        sockets::ReservedPort,
        tool::RunningWatch,
    },
};

/// Asserts the pool's numbers, when all connections are of one process and destination.
#[track_caller]
fn assert_pool(report: &Report, asked: u64, needed: u64, is_exact: bool) {
    let expected =
        json!({ "asked": asked, "needed": needed, "avoidable": asked - needed, "avoidable_exact": is_exact });
    report.assert_totals(&expected);
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_fields(group, &expected);
    let avoidable = report.of_type("close").into_iter().filter(|close| close["avoidable"] == true).count();
    assert_eq!(avoidable as u64, asked - needed, "avoidable close rows");
    assert!(
        report.of_type("open").iter().all(|open| open["avoidable"].is_null()),
        "an open row cannot know whether its connection is avoidable"
    );
}

/// The Go client sends ten requests and reads each body to its end.
#[test]
fn kept_connection_is_needed() {
    let machine = Machine::shared();
    let server = Server::start("");
    let watch = machine.watch(format!("-p {}", server.port));
    output_of(&mut go::client(&format!("-url http://{} -read", server.address())));
    assert_eq!(server.truth().connections, 1, "counts of the server");
    assert_pool(&watch.end(), 1, 1, true);
}

/// Go closes a connection with an unread body in the background, and may open the next connection first.
#[test]
fn connections_closed_with_unread_bodies_are_avoidable() {
    let machine = Machine::shared();
    let server = Server::start("-body 1048576");
    let watch = machine.watch(format!("-p {}", server.port));
    output_of(&mut go::client(&format!("-url http://{}", server.address())));
    assert_eq!(server.truth().connections, 10, "counts of the server");
    let report = watch.end();
    assert_eq!(report.total("asked"), 10, "{:#}", report.summary);
    // Go closes a connection in a goroutine of its own, so the next one may be asked before.
    assert!((1..10).contains(&report.total("needed")), "{:#}", report.summary);
}

/// gRPC channels. The server counts calls, and the kernel counts connections.
fn grpc(channels: u64, calls: u64, order: &str) -> Report {
    let machine = Machine::shared();
    let mut server = Dialogue::start(&mut python("grpc_server.py"));
    let port = server.next_line();
    let watch = machine.watch(format!("-p {port}"));
    output_of(python("grpc_client.py").args([&port, &channels.to_string(), &calls.to_string(), order]));
    let report = watch.end();
    server.end();
    assert_eq!(server.next_line(), (channels * calls).to_string(), "calls that the server answered");
    report.assert_totals(&json!({ "opened": channels }));
    report
}

#[test]
fn consecutive_grpc_channels_are_avoidable_and_concurrent_ones_needed() {
    assert_pool(&grpc(10, 2, "in_turn"), 10, 1, true);
    assert_pool(&grpc(10, 2, "at_once"), 10, 10, true);
    assert_pool(&grpc(1, 20, "in_turn"), 1, 1, true);
}

/// curl requests these names from a TLS server, with one connection for each request.
fn names(urls: &[&str]) -> Report {
    let machine = Machine::shared();
    let server = Server::start("-tls 1.3");
    let watch = machine.watch(format!("-p {}", server.port));
    let mut curl = program("curl", "curl");
    curl.args(["--silent", "--show-error", "--insecure", "--http1.1", "--noproxy", "*", "-H", "Connection: close"]);
    for name in ["a.example", "b.example"] {
        curl.args(["--resolve", &format!("{name}:{}:127.0.0.1", server.port)]);
    }
    for name in urls {
        curl.args(["--output", "/dev/null"]).arg(format!("https://{name}:{}/", server.port));
    }
    output_of(&mut curl);
    assert_eq!(server.truth().connections, urls.len() as u64, "counts of the server");
    watch.end()
}

/// Connections with different server names cannot replace each other.
#[test]
fn different_tls_server_names_make_avoidable_inexact() {
    assert_pool(&names(&["a.example", "a.example", "a.example"]), 3, 1, true);
    assert_pool(&names(&["127.0.0.1", "127.0.0.1"]), 2, 1, true);
    assert_pool(&names(&["a.example", "A.EXAMPLE"]), 2, 1, true);
    assert_pool(&names(&["a.example", "b.example", "a.example"]), 3, 1, false);
    assert_pool(&names(&["a.example", "127.0.0.1"]), 2, 1, false);
}

/// Requests to these servers through a proxy, with a tunnel for each request.
fn tunnels(servers: &[&Server], proxy: &Peer, option: &str) -> Report {
    let machine = Machine::shared();
    let watch = machine.watch(format!("-p {}", proxy.port()));
    let mut curl = program("curl", "curl");
    curl.args(["--silent", "--show-error", "--noproxy", "", "-H", "Connection: close"]);
    curl.args(option.split_whitespace()).arg(proxy.address.to_string());
    for server in servers {
        curl.args(["--output", "/dev/null"]).arg(format!("http://{}/", server.address()));
    }
    output_of(&mut curl);
    proxy.wait_for(servers.len() as u64);
    watch.end()
}

#[test]
fn different_tunnel_targets_make_avoidable_inexact() {
    let (one, other) = (Server::start(""), Server::start(""));
    let proxy = || Peer::new(|stream| proxies::tunnel(stream, Refusals(0)));
    assert_pool(&tunnels(&[&one, &one, &one], &proxy(), "--proxytunnel --proxy"), 3, 1, true);
    assert_pool(&tunnels(&[&one, &other, &one], &proxy(), "--proxytunnel --proxy"), 3, 1, false);
    // SOCKS names the target in a turn of its own, which is not compared.
    assert_pool(&tunnels(&[&one, &one], &Peer::new(proxies::socks), "--socks5"), 2, 1, false);
}

/// The client address in a PROXY header is not compared either.
#[test]
fn proxy_headers_make_avoidable_inexact() {
    let machine = Machine::shared();
    let (front, back) = (ReservedPort::new(), ReservedPort::new());
    let (front_address, address) = (front.address, back.address);
    let nginx = nginx::start(&format!("server {{ listen {address} proxy_protocol; return 200 hello; }}"), back);
    let watch = machine.watch(format!("-p {}", address.port()));
    let haproxy = haproxy::start("http-reuse always", "send-proxy", address, front);
    nginx::curl(&format!("http://{front_address}/"), 3);
    drop(haproxy);
    nginx.wait_for_closes(address.port());
    report_is_inexact(&watch.end());
}

fn report_is_inexact(report: &Report) {
    assert_eq!(report.summary["totals"]["avoidable_exact"], json!(false), "{:#}", report.summary);
}

/// wrk sends ten requests at a time, first on kept connections, then on one connection for each request.
#[test]
fn needed_equals_the_concurrency_of_the_load() {
    let machine = Machine::alone();
    for (option, is_kept) in [("Accept: */*", true), ("Connection: close", false)] {
        let server = Server::start("");
        let watch = machine.watch(format!("-p {}", server.port));
        let mut wrk = program("wrk", "wrk");
        wrk.args(["-t", "2", "-c", "10", "-d", "1s", "-H", option]).arg(format!("http://{}/", server.address()));
        output_of(&mut wrk);
        let truth = server.truth();
        let report = watch.end();
        println!("{truth:?}: {}", report.summary["totals"]);
        let (asked, needed) = (report.total("asked"), report.total("needed"));
        // wrk opens a first connection that it does not use, and stops in the middle of its requests.
        let least = if is_kept { truth.connections - 1 } else { truth.requests };
        assert!((least..truth.connections).contains(&asked), "{asked} asked: {truth:?}");
        assert_eq!(needed, 10, "{:#}", report.summary);
        report.assert_totals(&json!({ "avoidable": asked - needed, "avoidable_exact": true }));
    }
}

/// A process cannot use the connections of another process.
#[test]
fn connections_of_separate_processes_are_all_needed() {
    let machine = Machine::shared();
    let server = Server::start("");
    let watch = machine.watch(format!("-p {}", server.port));
    for _ in 0..10 {
        let mut curl: Command = program("curl", "curl");
        output_of(curl.args(["--silent", "--noproxy", "*"]).arg(format!("http://{}/", server.address())));
    }
    assert_eq!(server.truth().connections, 10, "counts of the server");
    let report = watch.end();
    assert_fields(&report.groups()[0], &json!({ "processes": 10 }));
    assert_pool(&report, 10, 10, true);
}

/// The last line of the lines output.
#[test]
fn last_line_states_how_many_connections_were_needed() {
    let _machine = Machine::shared();
    let server = Server::start("");
    let RunningWatch { mut tool, mut stdout, first: mut text } =
        RunningWatch::start(&format!("--port {} --output lines", server.port));
    let mut curl = program("curl", "curl");
    curl.args(["--silent", "--noproxy", "*", "-H", "Connection: close"]);
    for _ in 0..10 {
        curl.args(["--output", "/dev/null"]).arg(format!("http://{}/", server.address()));
    }
    output_of(&mut curl);
    while text.matches(" close ").count() < 10 && stdout.read_line(&mut text).expect("the output is UTF-8") > 0 {}
    tool.signal(Signal::INT);
    stdout.read_to_string(&mut text).expect("the output is UTF-8");
    assert_eq!(tool.wait(Duration::from_mins(2)).code(), Some(0));
    let end = "10 on new connections, 0 reused; 1 connection would have been enough (9 avoidable)\n";
    assert!(text.ends_with(end), "{text}");
}
