//! Popular HTTP/1.1 clients: OpenSSL through Python and curl, and Go. Each has a server of its own, which counts its
//! connections and requests. Many cases share one watch, and all miscounted cases are reported together.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    go::{self, Server, Truth},
    machine::Machine,
    programs::program,
    python::python,
    report::Report,
    tool::Process,
};

/// A client that sends three requests, and its own server.
pub(crate) struct Case {
    name: String,
    server: Server,
    client: Command,
    requests: u64,
    protocol: &'static str,
}

/// OpenSSL through Python, on one connection.
pub(crate) fn by_python(server: &str, options: &str) -> Case {
    let name = format!("python {options} → {server}");
    let server = Server::start(server);
    let mut client = python("tls_client.py");
    client.arg(server.port.to_string()).args(options.split_whitespace());
    Case::new(name, server, client)
}

/// Go, with its own TLS or in the clear.
pub(crate) fn by_go(server: &str, options: &str) -> Case {
    let name = format!("go {options} → {server}");
    let (scheme, version) = scheme(server);
    let server = Server::start(server);
    let url = format!("{scheme}://{}", server.address());
    let client = go::client(&format!("-url {url} {version} -times 3 {options}"));
    Case::new(name, server, client)
}

/// curl, with options for the whole run and for each of its requests.
pub(crate) fn by_curl(server: &str, options: &str, each: &str) -> Case {
    let name = format!("curl {options} {each} → {server}");
    let (scheme, _) = scheme(server);
    let server = Server::start(server);
    let mut client = program("curl", "curl");
    client.args(["--silent", "--show-error", "--insecure", "--http1.1", "--noproxy", "*"]);
    client.args(options.split_whitespace()).stdout(Stdio::null());
    for n in 0..3 {
        client.args(each.split_whitespace()).arg(format!("{scheme}://{}/{n}", server.address()));
    }
    Case::new(name, server, client)
}

/// The URL scheme for a server with these options, and the TLS version option for the Go client.
fn scheme(server: &str) -> (&'static str, String) {
    match server.strip_prefix("-tls ") {
        Some(rest) => ("https", format!("-tls {}", rest.split(' ').next().expect("a version"))),
        None => ("http", String::new()),
    }
}

impl Case {
    fn new(name: String, server: Server, client: Command) -> Self {
        let protocol = if name.contains("-tls ") { "tls" } else { "plain" };
        Self { name, server, client, requests: 3, protocol }
    }

    /// Makes the client send no request.
    pub(crate) fn without_requests(mut self) -> Self {
        self.client.args(["--times", "0"]);
        self.name.insert_str(0, "without a request, ");
        Self { requests: 0, ..self }
    }

    /// Runs the client, and collects the counts of its server.
    fn run(mut self) -> FinishedCase {
        let status = Process::start(&mut self.client).wait(Duration::from_mins(2));
        assert!(status.success(), "{} ended with {status}", self.name);
        let port = self.server.port;
        let truth = self.server.truth();
        assert_eq!(truth.requests, self.requests, "counts of the server: {}", self.name);
        FinishedCase { name: self.name, protocol: self.protocol, port, truth }
    }
}

struct FinishedCase {
    name: String,
    protocol: &'static str,
    port: u16,
    /// The server's counts.
    truth: Truth,
}

impl FinishedCase {
    /// Describes how the tool's counts differ from the server's.
    fn difference(&self, report: &Report) -> Option<String> {
        let Self { name, protocol, truth, .. } = self;
        let closes = self.closes(report);
        let exchanges: u64 = closes.iter().map(|close| close["exchanges"].as_u64().expect("a number")).sum();
        let wrong = closes.iter().filter(|close| close["exact"] != true || close["protocol"] != *protocol).count();
        let is_equal = (closes.len() as u64, exchanges, wrong) == (truth.connections, truth.requests, 0);
        (!is_equal).then(|| {
            let counted = format!("{} connections ({wrong} not exact or not {protocol})", closes.len());
            format!("{name}: {counted}, {exchanges} exchanges, not {truth:?}")
        })
    }

    /// Whether the tool marks the counts of all these connections as inexact.
    fn is_marked(&self, report: &Report) -> bool {
        self.closes(report).iter().all(|close| close["exact"] == false)
    }

    fn closes<'a>(&self, report: &'a Report) -> Vec<&'a Value> {
        report.of_type("close").into_iter().filter(|close| close["port"] == self.port).collect()
    }
}

/// Asserts that every client's exchanges equal its server's count, and are exact.
#[track_caller]
pub(crate) fn assert_exact(cases: impl IntoIterator<Item = Case>) {
    let (report, finished) = run_all(cases);
    let wrong: Vec<String> = finished.iter().filter_map(|finished| finished.difference(&report)).collect();
    assert!(wrong.is_empty(), "differs from the server's count:\n{}", wrong.join("\n"));
    report.assert_complete();
    let connections: u64 = finished.iter().map(|finished| finished.truth.connections).sum();
    let requests: u64 = finished.iter().map(|finished| finished.truth.requests).sum();
    report.assert_totals(&json!({ "opened": connections, "closed": connections, "exchanges": requests, "failed": 0 }));
}

/// Asserts that every count that differs from the server's is marked as inexact.
#[track_caller]
pub(crate) fn assert_exact_or_marked(cases: impl IntoIterator<Item = Case>) {
    let (report, finished) = run_all(cases);
    let unmarked = finished.iter().filter(|finished| !finished.is_marked(&report));
    let wrong: Vec<String> = unmarked.filter_map(|finished| finished.difference(&report)).collect();
    assert!(wrong.is_empty(), "differs from the server's count without being marked:\n{}", wrong.join("\n"));
}

fn run_all(cases: impl IntoIterator<Item = Case>) -> (Report, Vec<FinishedCase>) {
    let machine = Machine::shared();
    let cases: Vec<Case> = cases.into_iter().collect();
    let ports: Vec<String> = cases.iter().map(|case| case.server.port.to_string()).collect();
    let watch = machine.watch(format!("-p {} --exchanges", ports.join(",")));
    let finished = cases.into_iter().map(Case::run).collect();
    (watch.end(), finished)
}
