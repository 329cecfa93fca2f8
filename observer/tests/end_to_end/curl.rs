//! curl: one command line with five URLs reuses its connection; five commands cannot.

use std::fs::File;

use serde_json::json;

use crate::support::{
    counters::counter,
    go::Server,
    machine::Machine,
    programs::{output_of, program},
    report::{Report, assert_fields},
};

/// Fetches this many URLs with one command, and returns the number of connections that curl reports.
fn fetch(server: &Server, scheme: &str, addresses: usize, option: Option<&str>) -> u64 {
    let mut curl = program("curl", "curl");
    curl.args(["--silent", "--show-error", "--insecure", "--http1.1", "--noproxy", "*"]).args(option);
    curl.args(["--write-out", "%{num_connects}\n"]);
    for n in 0..addresses {
        curl.args(["--output", "/dev/null"]).arg(format!("{scheme}://{}/{n}", server.address()));
    }
    output_of(&mut curl).lines().map(|line| line.parse::<u64>().expect("a number of connections")).sum()
}

/// Makes five fetches with this many commands, each with one connection.
fn five(scheme: &str, server: &str, commands: usize) -> Report {
    let (report, connections) = watched(&Machine::shared(), scheme, server, commands, None);
    assert_eq!(connections, commands as u64, "connections that curl reports");
    report
}

/// Makes five fetches, and asserts that the totals match curl's and the server's counts.
fn watched(machine: &Machine, scheme: &str, server: &str, commands: usize, option: Option<&str>) -> (Report, u64) {
    let server = Server::start(&format!("{server} -body 5000"));
    let watch = machine.watch(format!("-p {}", server.port));
    let connects: u64 = (0..commands).map(|_| fetch(&server, scheme, 5 / commands, option)).sum();
    let truth = server.truth();
    assert_eq!((truth.connections, truth.requests), (connects, 5), "counts of the server");
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": connects, "closed": connects, "failed": 0, "unused": 0 }));
    report.assert_totals(&json!({ "exchanges": 5, "new": connects, "reused": 5 - connects }));
    // RunOutput processes of one name share a group.
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_fields(group, &json!({ "process": "curl", "processes": commands }));
    assert_eq!(group["pid"].is_null(), commands > 1, "{group:#}");
    (report, connects)
}

fn assert_protocol(report: &Report, protocol: &str) {
    for close in report.of_type("close") {
        assert_fields(close, &json!({ "protocol": protocol, "exact": true }));
    }
}

#[test]
fn one_command_reuses_its_connection() {
    assert_protocol(&five("http", "", 1), "plain");
}

#[test]
fn five_commands_open_five_connections() {
    assert_protocol(&five("http", "", 5), "plain");
}

#[test]
fn one_command_reuses_its_connection_over_tls() {
    assert_protocol(&five("https", "-tls 1.3", 1), "tls");
    assert_protocol(&five("https", "-tls 1.2", 1), "tls");
}

#[test]
fn five_commands_open_five_connections_over_tls() {
    assert_protocol(&five("https", "-tls 1.3", 5), "tls");
    assert_protocol(&five("https", "-tls 1.2", 5), "tls");
}

/// From the second connection on, the SYN carries the first request.
#[test]
fn requests_within_the_syn_count() {
    let mut machine = Machine::alone();
    machine.allow_fast_open();
    for commands in [1, 5] {
        let before = data_taken_with_a_syn();
        // With Fast Open, curl does not reuse a plain connection.
        let (report, connections) = watched(&machine, "http", "", commands, Some("--tcp-fastopen"));
        assert!(
            data_taken_with_a_syn() >= before + connections - 1,
            "all SYNs carry data, except perhaps the first, which requests a cookie"
        );
        assert_protocol(&report, "plain");
    }
}

/// No hook sees the bytes of a ClientHello within the SYN.
#[test]
fn tls_handshake_within_the_syn_is_no_exchange() {
    let mut machine = Machine::alone();
    machine.allow_fast_open();
    for version in ["1.2", "1.3"] {
        let before = data_taken_with_a_syn();
        let server = Server::start(&format!("-tls {version}"));
        let watch = machine.watch(format!("-p {}", server.port));
        (0..5).for_each(|_| assert_eq!(fetch(&server, "https", 2, Some("--tcp-fastopen")), 1));
        assert!(data_taken_with_a_syn() >= before + 4, "all SYNs carry data, except perhaps the first");
        let truth = server.truth();
        assert_eq!((truth.connections, truth.requests), (5, 10), "counts of the server");
        let report = watch.end();
        report.assert_totals(&json!({ "opened": 5, "closed": 5, "exchanges": 10, "new": 5, "unused": 0, "failed": 0 }));
        report.assert_complete();
        assert_protocol(&report, "tls");
        assert!(report.of_type("close").iter().all(|close| close["exchanges"] == 2), "{:#?}", report.rows);
    }
}

/// How many SYNs of local clients carried data that the peer accepted (`TCPFastOpenActive`).
fn data_taken_with_a_syn() -> u64 {
    counter(File::open("/proc/net/netstat").expect("cannot open the kernel's counters"), "TcpExt:", "TCPFastOpenActive")
}
