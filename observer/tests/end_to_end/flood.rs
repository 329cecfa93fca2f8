//! Floods of 20,000 requests from ab, 16 at a time: none is missed, even where the kernel skips hooks.

use serde_json::json;

use crate::support::{
    go::{Server, Truth},
    machine::Machine,
    programs::{output_of, program},
    report::Report,
};

/// Concurrent requests of ab.
const CONCURRENCY: u64 = 16;

/// A load for ab.
pub(crate) struct Load {
    pub(crate) keep_alive: bool,
    /// TLS version; empty for plain HTTP.
    pub(crate) tls: &'static str,
    pub(crate) requests: u64,
}

pub(crate) const CONNECTION_PER_REQUEST: Load = Load { keep_alive: false, tls: "", requests: 20_000 };
pub(crate) const KEPT_ALIVE: Load = Load { keep_alive: true, ..CONNECTION_PER_REQUEST };
/// Fewer requests, because handshakes take CPU time.
const OVER_TLS_1_2: Load = Load { tls: "1.2", requests: 5_000, ..CONNECTION_PER_REQUEST };
const OVER_TLS_1_3: Load = Load { tls: "1.3", ..OVER_TLS_1_2 };

/// The counts that ab reports.
#[derive(Debug, PartialEq, Eq)]
struct AbReport {
    complete: u64,
    failed: u64,
    kept_alive: u64,
}

impl Load {
    fn run(&self, server: &Server) -> AbReport {
        let mut ab = program("ab", "apache2-utils");
        ab.args(["-q", "-c", &CONCURRENCY.to_string(), "-n"]).arg(self.requests.to_string());
        if self.keep_alive {
            ab.arg("-k");
        }
        let scheme = if self.tls.is_empty() { "http" } else { "https" };
        let report = output_of(ab.arg(format!("{scheme}://{}/", server.address())));
        let number = |name: &str| {
            let line = report.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim_start_matches(':').trim().parse().ok()
        };
        AbReport {
            complete: number("Complete requests").unwrap_or_else(|| panic!("unexpected output of ab: {report}")),
            failed: number("Failed requests").unwrap_or_else(|| panic!("unexpected output of ab: {report}")),
            // Absent without -k.
            kept_alive: number("Keep-Alive requests").unwrap_or(0),
        }
    }

    fn server(&self) -> Server {
        Server::start(&if self.tls.is_empty() { String::new() } else { format!("-tls {}", self.tls) })
    }

    /// Runs the load under a watch, and asserts that ab's and the server's counts agree.
    pub(crate) fn watched(&self, machine: &Machine, options: &str) -> (Report, Truth) {
        self.watched_with(machine, options, |_| {})
    }

    /// The same, with something that happens between the start of the watch and the load to this port.
    pub(crate) fn watched_with(&self, machine: &Machine, options: &str, prepare: impl FnOnce(u16)) -> (Report, Truth) {
        let server = self.server();
        let watch = machine.watch(format!("-p {} {options}", server.port));
        prepare(server.port);
        let ab = self.run(&server);
        let truth = server.truth();
        let report = watch.end();
        println!("{ab:?}, {truth:?}, tool {options}: {}", report.summary["totals"]);
        let kept_alive = if self.keep_alive { self.requests } else { 0 };
        assert_eq!(ab, AbReport { complete: self.requests, failed: 0, kept_alive });
        assert_eq!((truth.requests, truth.closed), (self.requests, truth.connections), "counts of the server");
        (report, truth)
    }

    /// Asserts that the totals match the counts of ab and the server. ab opens a few connections that it does not use;
    /// the server has accepted these too.
    #[track_caller]
    pub(crate) fn assert_totals(&self, report: &Report, truth: Truth) {
        let (requests, connections) = (self.requests, truth.connections);
        let new = if self.keep_alive { connections } else { requests };
        report.assert_totals(&json!({ "opened": connections, "closed": connections, "open": 0, "failed": 0 }));
        report.assert_totals(&json!({ "exchanges": requests, "new": new, "reused": requests - new }));
        report.assert_totals(&json!({ "unused": connections - new, "untracked": 0, "inexact": 0 }));
        // With TLS handshakes, not all open connections have asked at the same time.
        let needed = if self.tls.is_empty() { CONCURRENCY } else { report.total("needed").min(CONCURRENCY) };
        report.assert_totals(&json!({ "asked": new, "needed": needed, "avoidable": new - needed }));
    }
}

fn assert_exact(machine: &Machine, load: &Load) {
    let (report, truth) = load.watched(machine, "");
    load.assert_totals(&report, truth);
    report.assert_complete();
}

#[test]
fn flood_with_a_connection_per_request_is_exact() {
    assert_exact(&Machine::alone(), &CONNECTION_PER_REQUEST);
}

#[test]
fn flood_on_kept_connections_is_exact() {
    assert_exact(&Machine::alone(), &KEPT_ALIVE);
}

#[test]
fn flood_with_a_connection_per_request_is_exact_with_steered_packets() {
    let mut machine = Machine::alone();
    machine.steer_packets();
    assert_exact(&machine, &CONNECTION_PER_REQUEST);
}

#[test]
fn flood_on_kept_connections_is_exact_with_steered_packets() {
    let mut machine = Machine::alone();
    machine.steer_packets();
    assert_exact(&machine, &KEPT_ALIVE);
}

#[test]
fn flood_over_tls_is_exact_with_steered_packets() {
    let mut machine = Machine::alone();
    machine.steer_packets();
    for load in [OVER_TLS_1_2, OVER_TLS_1_3, Load { keep_alive: true, ..OVER_TLS_1_2 }] {
        assert_exact(&machine, &load);
    }
}

/// The kernel sometimes skips tracepoint programs. The totals must not claim to be exact when it has.
#[test]
fn flood_without_sockops_is_exact_or_marked() {
    let mut machine = Machine::alone();
    machine.steer_packets();
    for load in [CONNECTION_PER_REQUEST, KEPT_ALIVE, KEPT_ALIVE, KEPT_ALIVE, OVER_TLS_1_3] {
        let (report, truth) = load.watched(&machine, "--hooks tracepoint");
        if report.total("opened") != truth.connections {
            assert_eq!(report.summary["complete"], false, "{:#}", report.summary);
        }
        if report.total("exchanges") != truth.requests {
            assert_eq!(report.summary["exact"], false, "{:#}", report.summary);
        }
        if report.summary["complete"] == true {
            load.assert_totals(&report, truth);
        }
    }
}
