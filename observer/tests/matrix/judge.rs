//! What the tool said of a cell's port, against what the server counted. Each difference is a line.

use serde_json::Value;

use crate::{
    cell::{Cell, Over},
    client::Http2,
    server::{Connection, Truth},
    support::report::Report,
};

/// What the tool said of a port.
pub(crate) struct Said<'a> {
    report: &'a Report,
    port: u16,
}

impl<'a> Said<'a> {
    pub(crate) fn of(report: &'a Report, port: u16) -> Self {
        Self { report, port }
    }

    /// A counter, over all groups.
    pub(crate) fn count(&self, name: &str) -> u64 {
        let groups = self.report.groups().iter().filter(|group| group["port"] == self.port);
        groups.map(|group| group[name].as_u64().expect("a counter is a number")).sum()
    }

    fn closes(&self) -> Vec<&'a Value> {
        self.report.of_type("close").into_iter().filter(|row| row["port"] == self.port).collect()
    }
}

pub(crate) fn differences(cell: &Cell, truth: &Truth, said: &Said) -> Vec<String> {
    let mut all = of_the_server(cell, truth);
    number(&mut all, "opened", truth.accepted, said.count("opened"));
    number(&mut all, "closed", truth.accepted, said.count("closed"));
    number(&mut all, "failed", 0, said.count("failed"));
    if cell.client.http2 == Http2::Chosen {
        all.extend(of_rows(cell, truth, said, "http2", false));
        return all;
    }
    number(&mut all, "exchanges", truth.requests(), said.count("exchanges"));
    number(&mut all, "new", truth.used(), said.count("new"));
    number(&mut all, "reused", truth.requests() - truth.used(), said.count("reused"));
    number(&mut all, "inexact", 0, said.count("inexact"));
    all.extend(of_connections(truth, said));
    let protocol = if cell.over == Over::Plain { "plain" } else { "tls" };
    all.extend(of_rows(cell, truth, said, protocol, true));
    all
}

/// That the cell is what it should be: nothing is said of the tool here.
fn of_the_server(cell: &Cell, truth: &Truth) -> Vec<String> {
    let mut all = Vec::new();
    let http2 = if cell.client.http2 == Http2::Chosen { truth.requests() - upgrades(cell, truth) } else { 0 };
    number(&mut all, "requests of the server", cell.mode.times, truth.requests());
    number(&mut all, "requests by HTTP/2 of the server", http2, truth.http2);
    number(&mut all, "connections that ConnContext saw", truth.accepted, truth.connections.len() as u64);
    number(&mut all, "connections that the server saw end", truth.accepted, truth.closed);
    let (expected, used) = (cell.connections(), truth.used());
    if !expected.contains(&used) {
        all.push(format!("connections with requests of the server expected {expected:?} got {used}"));
    }
    all
}

/// Requests by HTTP/1.1 that ask for HTTP/2.
fn upgrades(cell: &Cell, truth: &Truth) -> u64 {
    if cell.asks_for_upgrade() { truth.used() } else { 0 }
}

/// Connection by connection, which the client's address names.
fn of_connections(truth: &Truth, said: &Said) -> Vec<String> {
    let counted = |connection: &Connection| (connection.client.clone(), connection.requests);
    let row = |row: &&Value| {
        (row["local"].as_str().unwrap_or_default().to_owned(), row["exchanges"].as_u64().unwrap_or_default())
    };
    let mut strangers: Vec<(String, u64)> = said.closes().iter().map(row).collect();
    let mut all = Vec::new();
    for expected in truth.connections.iter().map(counted) {
        match strangers.iter().position(|got| *got == expected) {
            Some(place) => drop(strangers.swap_remove(place)),
            None => all.push(format!("no connection from {} with {} exchanges", expected.0, expected.1)),
        }
    }
    all.extend(strangers.into_iter().map(|(client, exchanges)| format!("{exchanges} exchanges from {client}")));
    all
}

/// What rows say beside their counts; all of a row that says something else.
fn of_rows(cell: &Cell, truth: &Truth, said: &Said, protocol: &str, exact: bool) -> Vec<String> {
    let used = |row: &Value| {
        truth.connections.iter().any(|connection| row["local"] == *connection.client && connection.requests > 0)
    };
    let application = match protocol {
        "plain" => Some("http1"),
        "http2" => Some("http2"),
        _ => None,
    };
    // A connection on which nothing was asked cannot show what it would have spoken.
    let is_right = |row: &Value| {
        let is_exact = row["exact"] == exact;
        let is_told = row["protocol"] == protocol && row["application"].as_str() == application;
        if used(row) { is_told && is_exact } else { is_exact || cell.client.http2 == Http2::Chosen }
    };
    let wrong = said.closes().into_iter().filter(|row| !is_right(row));
    wrong.map(|row| format!("protocol {protocol} and exact {exact} expected in {row}")).collect()
}

/// What the whole watch has to say, whatever was in it.
pub(crate) fn of_summary(report: &Report, exact: bool) -> Vec<String> {
    let mut all = Vec::new();
    for (name, expected) in [("complete", true), ("exact", exact)] {
        let got = &report.summary[name];
        if *got != expected {
            all.push(format!("{name} expected {expected} got {got}"));
        }
    }
    number(&mut all, "untracked", 0, report.total("untracked"));
    number(&mut all, "events_lost", 0, report.total("events_lost"));
    all
}

fn number(all: &mut Vec<String>, name: &str, expected: u64, got: u64) {
    if got != expected {
        all.push(format!("{name} expected {expected} got {got}"));
    }
}
