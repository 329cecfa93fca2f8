//! A proxy between ab and the Go server. The watch is on the server's port, where the proxy is the client.

use serde_json::json;

use super::{
    bench::ab,
    go::Server,
    machine::Machine,
    report::{Report, assert_fields},
    service::Service,
    sockets::ReservedPort,
};

const REQUESTS: u64 = 200;

/// How many connections the proxy should open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// One for each request.
    OneEach,
    /// Far fewer than requests; the number depends on the proxy's threads.
    Fewer,
}

/// Starts a proxy at the given port, sends it requests, and stops it. Asserts that the tool's counts match the
/// server's, and are attributed to the proxy.
pub(crate) fn assert_proxied(
    process: &str,
    upstream: Server,
    protocol: &str,
    expected: Expected,
    start: impl FnOnce(ReservedPort) -> Service,
) -> Report {
    let machine = Machine::shared();
    let watch = machine.watch(format!("-p {} --process {process}", upstream.port));
    let front = ReservedPort::new();
    let url = format!("http://{}/", front.address);
    let proxy = start(front);
    let done = ab(&url, &format!("-n {REQUESTS} -c 4"));
    assert_eq!(done.requests, REQUESTS);
    drop(proxy);
    let truth = upstream.truth();
    let report = watch.end();

    let (connections, reused) = (truth.connections, REQUESTS - truth.connections);
    match expected {
        Expected::OneEach => assert_eq!(connections, REQUESTS, "connections that the server counted"),
        Expected::Fewer => assert!((1..=REQUESTS / 10).contains(&connections), "{connections} connections"),
    }
    assert_eq!((truth.requests, truth.closed), (REQUESTS, connections), "counts of the server");
    report.assert_totals(&json!({ "opened": connections, "closed": connections, "failed": 0, "unused": 0 }));
    report.assert_totals(&json!({ "exchanges": REQUESTS, "new": connections, "reused": reused }));
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_fields(group, &json!({ "process": process, "processes": 1 }));
    for close in report.of_type("close") {
        assert_fields(close, &json!({ "protocol": protocol, "exact": true, "process": process }));
    }
    report
}
