//! HAProxy as a client of its backend: connections that it reuses, connections for single requests, and health checks,
//! which connect without a request.

use std::{
    fs::{self, File},
    net::SocketAddr,
    process::Command,
    thread::sleep,
    time::Duration,
};

use serde_json::json;

use crate::support::{
    counters::counter,
    go::Server,
    machine::Machine,
    programs::program,
    proxy::{Expected, assert_proxied},
    report::assert_fields,
    service::{self, Service},
    sockets::ReservedPort,
};

/// Starts HAProxy in the foreground, as one process that forwards from its port to `behind`.
pub(crate) fn start(options: &str, server: &str, behind: SocketAddr, port: ReservedPort) -> Service {
    let configuration = format!("listen front\nbind {}\nserver behind {behind} {server}\n", port.address);
    run(program("haproxy", "haproxy"), options, &configuration, port)
}

fn run(mut haproxy: Command, defaults: &str, configuration: &str, port: ReservedPort) -> Service {
    const DEFAULTS: &str = "defaults\nmode http\ntimeout connect 5s\ntimeout client 10s\ntimeout server 10s";
    let folder = service::folder();
    let text = format!("{DEFAULTS}\n{defaults}\n{configuration}");
    fs::write(folder.path().join("haproxy.cfg"), text).expect("cannot write the file");
    Service::start(haproxy.args(["-db", "-f", "haproxy.cfg"]), folder, [port])
}

fn assert_forwarded(options: &str, tls: Option<&str>, expected: Expected) {
    let upstream = Server::start(&tls.map(|version| format!("-tls {version}")).unwrap_or_default());
    let behind = upstream.address();
    let (server, protocol) = if tls.is_some() { ("ssl verify none", "tls") } else { ("", "plain") };
    assert_proxied("haproxy", upstream, protocol, expected, |port| start(options, server, behind, port))
        .assert_complete();
}

#[test]
fn haproxy_reuses_connections_with_http_reuse_always() {
    for tls in [None, Some("1.2"), Some("1.3")] {
        assert_forwarded("http-reuse always", tls, Expected::Fewer);
    }
}

#[test]
fn haproxy_opens_a_connection_per_request_with_http_server_close() {
    for tls in [None, Some("1.2"), Some("1.3")] {
        assert_forwarded("http-reuse never\noption http-server-close", tls, Expected::OneEach);
    }
}

/// HAProxy resets a check's connection as soon as the connect succeeds (except for a check that its own exit
/// interrupts), so no server ever accepts it. The kernel counts independently: connects and resets in a network
/// namespace that only HAProxy uses, which checks itself.
#[test]
fn health_checks_are_unused_connections() {
    let machine = Machine::shared();
    let port = ReservedPort::new();
    let address = port.address;
    let watch = machine.watch(format!("-p {} --process haproxy", address.port()));
    let mut unshare = program("unshare", "util-linux");
    unshare.args(["--net", "sh", "-ec", "ip link set lo up; exec haproxy \"$@\"", "sh"]);
    let configuration = format!(
        "listen checked\nbind {address}\nhttp-request return status 200\n\
         backend checking\nserver itself {address} check inter 100ms\n"
    );
    let haproxy = run(unshare, "", &configuration, port);
    // The open files stay readable after the process has exited.
    let counters =
        |name| File::open(format!("/proc/{}/net/{name}", haproxy.id())).expect("cannot open the kernel's counters");
    let [basic, extended] = ["snmp", "netstat"].map(counters);
    sleep(Duration::from_secs(1));
    drop(haproxy);
    let checks = counter(basic, "Tcp:", "ActiveOpens");
    assert!(checks >= 5, "only {checks} checks in one second");
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": checks, "closed": checks, "unused": checks, "failed": 0 }));
    report.assert_totals(&json!({ "exchanges": 0, "new": 0, "reused": 0, "reuse_ratio": null }));
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_fields(group, &json!({ "process": "haproxy", "processes": 1, "unused": checks }));
    for close in report.of_type("close") {
        assert_fields(close, &json!({ "sent_bytes": 0, "received_bytes": 0, "exchanges": 0, "exact": true }));
        assert_fields(close, &json!({ "closed_by": "local" }));
    }
    // The kernel counts a close with a zero SO_LINGER as this (tcp_close(), net/ipv4/tcp.c).
    let resets = counter(extended, "TcpExt:", "TCPAbortOnData");
    let how: Vec<&str> = report.of_type("close").into_iter().filter_map(|close| close["how"].as_str()).collect();
    assert_eq!(how.iter().filter(|how| **how == "rst").count() as u64, resets, "{how:?}");
    assert_eq!(how.iter().filter(|how| **how == "fin").count() as u64, checks - resets, "{how:?}");
}
