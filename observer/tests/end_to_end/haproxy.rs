//! HAProxy as the client of what is behind it: connections that it keeps, or makes for each request; and its health
//! checks, which connect and ask nothing.

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
    proxy::{Expected, proxied},
    report::assert_fields,
    service::{self, Service},
    sockets::Closed,
};

/// In the foreground, as one process: what comes to its port is sent on to `behind`.
pub(crate) fn start(options: &str, server: &str, behind: SocketAddr, port: Closed) -> Service {
    let configuration = format!("listen front\nbind {}\nserver behind {behind} {server}\n", port.address);
    run(program("haproxy", "haproxy"), options, &configuration, port)
}

fn run(mut haproxy: Command, defaults: &str, configuration: &str, port: Closed) -> Service {
    const DEFAULTS: &str = "defaults\nmode http\ntimeout connect 5s\ntimeout client 10s\ntimeout server 10s";
    let folder = service::folder();
    let text = format!("{DEFAULTS}\n{defaults}\n{configuration}");
    fs::write(folder.path().join("haproxy.cfg"), text).expect("it can be written");
    Service::start(haproxy.args(["-db", "-f", "haproxy.cfg"]), folder, [port])
}

fn forwarded(options: &str, tls: Option<&str>, expected: Expected) {
    let upstream = Server::start(&tls.map(|version| format!("-tls {version}")).unwrap_or_default());
    let behind = upstream.address();
    let (server, protocol) = if tls.is_some() { ("ssl verify none", "tls") } else { ("", "plain") };
    proxied("haproxy", upstream, protocol, expected, |port| start(options, server, behind, port)).assert_complete();
}

#[test]
fn it_keeps_connections_when_told_to_reuse_them() {
    for tls in [None, Some("1.2"), Some("1.3")] {
        forwarded("http-reuse always", tls, Expected::Fewer);
    }
}

#[test]
fn it_connects_for_each_request_when_told_to_close_them() {
    for tls in [None, Some("1.2"), Some("1.3")] {
        forwarded("http-reuse never\noption http-server-close", tls, Expected::OneEach);
    }
}

/// HAProxy resets a connection as soon as it is answered (but not one that its own end interrupts), and so no server ever
/// accepts it. What counts the truth is the kernel: how many connects and resets there were in a network namespace in
/// which HAProxy, which checks itself, is alone.
#[test]
fn health_checks_are_unused_connections() {
    let machine = Machine::shared();
    let port = Closed::new();
    let address = port.address;
    let watch = machine.watch(format!("-p {} --process haproxy", address.port()));
    let mut unshare = program("unshare", "util-linux");
    unshare.args(["--net", "sh", "-ec", "ip link set lo up; exec haproxy \"$@\"", "sh"]);
    let configuration = format!(
        "listen checked\nbind {address}\nhttp-request return status 200\n\
         backend checking\nserver itself {address} check inter 100ms\n"
    );
    let haproxy = run(unshare, "", &configuration, port);
    // They can be read until they are closed, whatever becomes of the process.
    let counters = |name| File::open(format!("/proc/{}/net/{name}", haproxy.id())).expect("the process runs");
    let [basic, extended] = ["snmp", "netstat"].map(counters);
    sleep(Duration::from_secs(1));
    drop(haproxy);
    let checks = counter(basic, "Tcp:", "ActiveOpens");
    assert!(checks >= 5, "{checks} checks in a second");
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": checks, "closed": checks, "unused": checks, "failed": 0 }));
    report.assert_totals(&json!({ "exchanges": 0, "new": 0, "reused": 0, "reuse_ratio": null }));
    let [group] = report.groups() else { panic!("one group was expected: {:#}", report.summary) };
    assert_fields(group, &json!({ "process": "haproxy", "processes": 1, "unused": checks }));
    for close in report.of_type("close") {
        assert_fields(close, &json!({ "sent_bytes": 0, "received_bytes": 0, "exchanges": 0, "exact": true }));
        assert_fields(close, &json!({ "closed_by": "local" }));
    }
    // What a close with SO_LINGER of zero is counted as: tcp_close of net/ipv4/tcp.c.
    let resets = counter(extended, "TcpExt:", "TCPAbortOnData");
    let how: Vec<&str> = report.of_type("close").into_iter().filter_map(|close| close["how"].as_str()).collect();
    assert_eq!(how.iter().filter(|how| **how == "rst").count() as u64, resets, "{how:?}");
    assert_eq!(how.iter().filter(|how| **how == "fin").count() as u64, checks - resets, "{how:?}");
}
