//! Compares the tool's report of a cell's port with the server's counts. Each difference is a line.

use serde_json::Value;

use crate::{
    cell::{Cell, Transport},
    client::Http2,
    server::{Connection, Truth},
    support::report::Report,
};

/// The tool's report of a port.
pub(crate) struct PortReport<'a> {
    report: &'a Report,
    port: u16,
}

impl<'a> PortReport<'a> {
    pub(crate) fn new(report: &'a Report, port: u16) -> Self {
        Self { report, port }
    }

    /// Sums a counter over all groups of the port.
    pub(crate) fn count(&self, name: &str) -> u64 {
        let groups = self.report.groups().iter().filter(|group| group["port"] == self.port);
        groups.map(|group| group[name].as_u64().expect("a counter is a number")).sum()
    }

    fn closes(&self) -> Vec<&'a Value> {
        self.report.of_type("close").into_iter().filter(|row| row["port"] == self.port).collect()
    }
}

pub(crate) fn differences(cell: &Cell, truth: &Truth, reported: &PortReport) -> Vec<String> {
    let mut all = check_server(cell, truth);
    compare(&mut all, "opened", truth.accepted, reported.count("opened"));
    compare(&mut all, "closed", truth.accepted, reported.count("closed"));
    compare(&mut all, "failed", 0, reported.count("failed"));
    if cell.client.http2 == Http2::Chosen {
        all.extend(compare_rows(cell, truth, reported, "http2", false));
        return all;
    }
    compare(&mut all, "exchanges", truth.requests(), reported.count("exchanges"));
    compare(&mut all, "new", truth.used(), reported.count("new"));
    compare(&mut all, "reused", truth.requests() - truth.used(), reported.count("reused"));
    compare(&mut all, "inexact", 0, reported.count("inexact"));
    all.extend(compare_connections(truth, reported));
    let protocol = if cell.transport == Transport::Plain { "plain" } else { "tls" };
    all.extend(compare_rows(cell, truth, reported, protocol, true));
    all
}

/// Checks that the cell exercises what it should, by the server's counts alone.
fn check_server(cell: &Cell, truth: &Truth) -> Vec<String> {
    let mut all = Vec::new();
    let http2 = if cell.client.http2 == Http2::Chosen { truth.requests() - upgrades(cell, truth) } else { 0 };
    compare(&mut all, "requests of the server", cell.mode.requests, truth.requests());
    compare(&mut all, "HTTP/2 requests of the server", http2, truth.http2);
    compare(&mut all, "connections that ConnContext saw", truth.accepted, truth.connections.len() as u64);
    compare(&mut all, "connections that the server saw close", truth.accepted, truth.closed);
    let (expected, used) = (cell.connections(), truth.used());
    if !expected.contains(&used) {
        all.push(format!("connections with requests of the server expected {expected:?} got {used}"));
    }
    all
}

/// HTTP/1.1 requests that ask for an upgrade to HTTP/2.
fn upgrades(cell: &Cell, truth: &Truth) -> u64 {
    if cell.asks_for_upgrade() { truth.used() } else { 0 }
}

/// Compares connection by connection, matched by the client's address.
fn compare_connections(truth: &Truth, reported: &PortReport) -> Vec<String> {
    let counted = |connection: &Connection| (connection.client.clone(), connection.requests);
    let row = |row: &&Value| {
        (row["local"].as_str().unwrap_or_default().to_owned(), row["exchanges"].as_u64().unwrap_or_default())
    };
    let mut unmatched: Vec<(String, u64)> = reported.closes().iter().map(row).collect();
    let mut all = Vec::new();
    for expected in truth.connections.iter().map(counted) {
        match unmatched.iter().position(|got| *got == expected) {
            Some(place) => drop(unmatched.swap_remove(place)),
            None => all.push(format!("no connection from {} with {} exchanges", expected.0, expected.1)),
        }
    }
    all.extend(unmatched.into_iter().map(|(client, exchanges)| format!("{exchanges} exchanges from {client}")));
    all
}

/// Compares protocol, application and exactness of the rows. A row that differs is printed whole.
fn compare_rows(cell: &Cell, truth: &Truth, reported: &PortReport, protocol: &str, exact: bool) -> Vec<String> {
    let used = |row: &Value| {
        truth.connections.iter().any(|connection| row["local"] == *connection.client && connection.requests > 0)
    };
    let application = match protocol {
        "plain" => Some("http1"),
        "http2" => Some("http2"),
        _ => None,
    };
    // The protocol of a connection without requests cannot be recognised.
    let is_right = |row: &Value| {
        let is_exact = row["exact"] == exact;
        let is_recognised = row["protocol"] == protocol && row["application"].as_str() == application;
        if used(row) { is_recognised && is_exact } else { is_exact || cell.client.http2 == Http2::Chosen }
    };
    let wrong = reported.closes().into_iter().filter(|row| !is_right(row));
    wrong.map(|row| format!("protocol {protocol} and exact {exact} expected in {row}")).collect()
}

/// Checks the totals of a watch.
pub(crate) fn check_summary(report: &Report, exact: bool) -> Vec<String> {
    let mut all = Vec::new();
    for (name, expected) in [("complete", true), ("exact", exact)] {
        let got = &report.summary[name];
        if *got != expected {
            all.push(format!("{name} expected {expected} got {got}"));
        }
    }
    compare(&mut all, "untracked", 0, report.total("untracked"));
    compare(&mut all, "events_lost", 0, report.total("events_lost"));
    all
}

fn compare(all: &mut Vec<String>, name: &str, expected: u64, got: u64) {
    if got != expected {
        all.push(format!("{name} expected {expected} got {got}"));
    }
}
