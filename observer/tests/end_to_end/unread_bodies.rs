//! A Go program makes ten requests, and closes the bodies either unread or after reading them to their end. The same
//! program and server then need ten connections or one.

use serde_json::{Value, json};

use crate::support::{
    go::{self, Server, Truth},
    machine::Machine,
    report::{Report, assert_fields},
    tool::Process,
};

/// Larger than any client reads on its own to keep a connection.
const BODY: &str = "-body 1048576";

struct Run {
    report: Report,
    truth: Truth,
    pid: u32,
}

/// Watches ten requests of the Go client.
fn fetch(machine: &Machine, server: &Server, options: &str, client: &str) -> (Report, u32) {
    let watch = machine.watch(format!("-p {} {options}", server.port));
    let mut client = Process::start(&mut go::client(&format!("-url http://{} {client}", server.address())));
    let status = client.wait(std::time::Duration::from_mins(2));
    assert!(status.success(), "the client ended with {status}");
    (watch.end(), client.id())
}

fn run(machine: &Machine, address: &str, options: &str, client: &str) -> Run {
    let server = Server::start(&format!("-address {address} {BODY}"));
    let (report, pid) = fetch(machine, &server, options, client);
    Run { report, truth: server.truth(), pid }
}

fn assert_ten_new(Run { report, truth, pid }: &Run) {
    assert_eq!((truth.connections, truth.requests), (10, 10), "counts of the server");
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 10, "exchanges": 10, "new": 10, "reused": 0, "reuse_ratio": 0.0 }));
    report.assert_totals(&json!({ "failed": 0, "unused": 0, "closed": 10, "open": 0 }));
    assert_one_group(report, *pid);
    assert_eq!(report.groups()[0]["exchanges_per_connection"]["1"], 10);
}

fn assert_one_reused(Run { report, truth, pid }: &Run) {
    assert_eq!((truth.connections, truth.requests), (1, 10), "counts of the server");
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 1, "exchanges": 10, "new": 1, "reused": 9, "reuse_ratio": 0.9 }));
    report.assert_totals(&json!({ "failed": 0, "unused": 0, "closed": 1, "open": 0 }));
    assert_one_group(report, *pid);
    assert_eq!(report.groups()[0]["exchanges_per_connection"]["10-99"], 1);
    let close = report.only("close");
    assert_fields(close, &json!({ "exchanges": 10, "reused": 9, "protocol": "plain", "exact": true }));
    assert_fields(close, &json!({ "closed_by": "local", "how": "fin", "unread_bytes": 0 }));
    assert!(close["received_bytes"].as_u64() > Some(10 << 20), "expected ten bodies of 1 MiB: {close:#}");
}

fn assert_one_group(report: &Report, pid: u32) {
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_fields(group, &json!({ "process": go::CLIENT, "pid": pid, "processes": 1, "remote": "127.0.0.1" }));
    for row in report.rows.iter().filter(|row| row["type"] != "notice") {
        assert_fields(row, &json!({ "process": go::CLIENT, "pid": pid, "port": group["port"] }));
    }
}

#[test]
fn bodies_closed_unread_need_ten_connections() {
    let machine = Machine::alone();
    assert_ten_new(&run(&machine, "127.0.0.1:8080", "", ""));
}

#[test]
fn bodies_read_to_the_end_need_one_connection() {
    let machine = Machine::alone();
    assert_one_reused(&run(&machine, "127.0.0.1:8080", "", "-read"));
}

#[test]
fn each_set_of_hooks_gives_the_same_counts() {
    let machine = Machine::shared();
    for (hooks, expected) in [
        ("auto", json!(["sockops", "tracepoint"])),
        ("sockops,tracepoint", json!(["sockops", "tracepoint"])),
        ("tracepoint", json!(["tracepoint"])),
    ] {
        let unread = run(&machine, "127.0.0.1:0", &format!("--hooks {hooks}"), "");
        assert_eq!(unread.report.start["hooks"], expected, "--hooks {hooks}");
        assert_ten_new(&unread);
        assert_one_reused(&run(&machine, "127.0.0.1:0", &format!("--hooks {hooks}"), "-read"));
    }
}

#[test]
fn counts_without_a_send_hook_are_marked() {
    let machine = Machine::shared();
    for (client, opened) in [("", 10), ("-read", 1)] {
        let Run { report, truth, .. } = run(&machine, "127.0.0.1:0", "--hooks sockops", client);
        assert_eq!((truth.connections, truth.requests), (opened, 10), "counts of the server");
        assert_eq!(report.start["hooks"], json!(["sockops"]));
        report.assert_totals(&json!({ "opened": opened, "exchanges": 10, "new": opened, "inexact": 10 }));
        assert_eq!(report.summary["exact"], false, "{:#}", report.summary);
        assert!(report.of_type("close").iter().all(|row| row["exact"] == false), "{:#?}", report.rows);
    }
}

#[test]
fn exchanges_option_adds_a_row_per_exchange() {
    let machine = Machine::shared();
    let run = run(&machine, "127.0.0.1:0", "--exchanges", "-read");
    assert_one_reused(&run);
    let exchanges = run.report.of_type("exchange");
    let numbers: Vec<&Value> = exchanges.iter().map(|row| &row["n"]).collect();
    assert_eq!(numbers, (1..=10).map(Value::from).collect::<Vec<_>>().iter().collect::<Vec<_>>());
    assert!(exchanges.iter().all(|row| row["id"] == run.report.only("open")["id"]), "{exchanges:#?}");
}
