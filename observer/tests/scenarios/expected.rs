//! What a scenario's connections should be said to have done, as plain data, and how what the tool says differs from it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{ledger::Pool, peer::Truth, recorded::Recorded, report::Report, sight::Sight};

/// All connects of a scenario to its port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    /// Connects that did not come through, by error
    pub(crate) failures: &'static [(&'static str, u64)],
    /// Connections that did, all of which have ended: how many, and what is said of each
    pub(crate) closes: &'static [(u64, Close)],
}

/// What is said of a connection when it has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Close {
    pub(crate) closed_by: &'static str,
    pub(crate) how: &'static str,
    pub(crate) unread_bytes: Unread,
    /// What it ends by, if it has carried an exchange; else it is unused
    pub(crate) cause: &'static str,
    pub(crate) exchanges: u64,
    /// What is said instead of them by hooks that do not see what is sent, where that differs: there each turn of a
    /// set-up looks like an exchange
    pub(crate) turns: Option<u64>,
    /// Requests that the peer answers, where that differs: the connection is not exact then
    pub(crate) requests: Option<u64>,
    pub(crate) protocol: &'static str,
    pub(crate) application: Option<&'static str>,
    /// What was sent first went out with the SYN, where all hooks see it
    pub(crate) is_seen_in_syn: bool,
    /// With hooks that see what is sent; with others none is
    pub(crate) exact: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Unread {
    Exactly(u64),
    /// As far as the answer had come
    AtLeastOne,
    /// A reset of the peer's takes with it what was unread
    Undefined,
}

impl Close {
    /// One request with its answer, all of it read, closed in order by the client.
    pub(crate) const USUAL: Self = Self {
        closed_by: "local",
        how: "fin",
        unread_bytes: Unread::Exactly(0),
        cause: "closed-after-response",
        exchanges: 1,
        turns: None,
        requests: None,
        protocol: "plain",
        application: Some("http1"),
        is_seen_in_syn: false,
        exact: true,
    };
    /// The answer is not read to its end.
    pub(crate) const LEFT_UNREAD: Self =
        Self { how: "rst", unread_bytes: Unread::AtLeastOne, cause: "unread-response", ..Self::USUAL };
    pub(crate) const BY_PEER: Self = Self { closed_by: "peer", cause: "server-closed-after-response", ..Self::USUAL };
    pub(crate) const UNUSED: Self = Self { exchanges: 0, protocol: "unknown", application: None, ..Self::USUAL };
    /// Nobody knows what is spoken: its turns are counted, and marked.
    pub(crate) const UNRECOGNISED: Self = Self { application: None, exact: false, ..Self::USUAL };
}

impl Expected {
    fn connections(&self) -> u64 {
        self.closes.iter().map(|(connections, _)| connections).sum()
    }

    fn sum(&self, of: impl Fn(&Close) -> u64) -> u64 {
        self.closes.iter().map(|(connections, close)| connections * of(close)).sum()
    }

    /// Each difference as a line.
    pub(crate) fn differences(
        &self,
        truth: &Truth,
        report: &Report,
        recorded: &Recorded,
        sight: &Sight,
    ) -> Vec<String> {
        let mut all = Differences::default();
        all.number("connections that the peer accepted", self.connections(), truth.connections);
        all.number("requests that the peer answered", self.sum(Close::requests), truth.exchanges);
        let is_honest = |close: &Close| !close.exact || close.requests() == close.exchanges;
        all.check(self.closes.iter().all(|(_, close)| is_honest(close)), || "called exact what is not".into());
        self.compare_group(truth.port, report, sight, &mut all);
        self.compare_closes(truth.port, report, sight, &mut all);
        truth.compare_pool(report, sight, &mut all);
        all.number(
            "rows of avoidable connections",
            report.count(truth.port, "avoidable"),
            report.rows("close", truth.port).filter(|row| row["avoidable"] == true).count() as u64,
        );
        let (expected, got) = (self.closed_exchanges(sight), recorded.closed_exchanges(truth.port));
        all.check(got == expected, || {
            format!(
                "exchanges of closed connections expected {expected:?} got {got:?} with {} skips",
                report.total("hook_skips")
            )
        });
        all.0
    }

    fn compare_group(&self, port: u16, report: &Report, sight: &Sight, all: &mut Differences) {
        let connections = self.connections();
        let failed = self.failures.iter().map(|(_, times)| times).sum();
        all.number("lifetimes", connections, report.lifetimes(port));
        let mut compare = |name, expected| all.number(name, expected, report.count(port, name));
        compare("opened", connections);
        compare("closed", connections);
        compare("open", 0);
        compare("failed", failed);
        compare("unused", self.sum(|close| u64::from(close.exchanges_with(sight) == 0)));
        compare("new", self.sum(|close| close.exchanges_with(sight).min(1)));
        compare("reused", self.sum(|close| close.exchanges_with(sight).saturating_sub(1)));
        compare("inexact", self.sum(|close| if close.is_exact(sight) { 0 } else { close.exchanges_with(sight) }));
        if sight.sends {
            // What only sets a connection up asks nothing.
            let (asked, used) = (report.count(port, "asked"), self.sum(|close| u64::from(close.exchanges > 0)));
            all.check(asked == used, || format!("asked expected {used} got {asked}"));
        }
        let expected = self.failures.iter().copied().collect();
        let got = report.failures(port);
        all.check(got == expected, || format!("failures expected {expected:?} got {got:?}"));
        let mut rows = BTreeMap::new();
        for error in report.rows("failed", port).filter_map(|row| row["error"].as_str()) {
            *rows.entry(error).or_default() += 1;
        }
        all.check(rows == expected, || format!("rows of failed expected {expected:?} got {rows:?}"));
        all.number("rows of open", connections, report.rows("open", port).count() as u64);
    }

    /// How many connections have carried 1, 2 to 9, 10 to 99, 100 to 999 and more exchanges, and how many these were.
    fn closed_exchanges(&self, sight: &Sight) -> ([u64; 5], u64) {
        let mut buckets = [0; 5];
        for (connections, close) in self.closes {
            match close.exchanges_with(sight) {
                0 => {}
                1 => buckets[0] += connections,
                2..=9 => buckets[1] += connections,
                10..=99 => buckets[2] += connections,
                100..=999 => buckets[3] += connections,
                _ => buckets[4] += connections,
            }
        }
        (buckets, self.sum(|close| close.exchanges_with(sight)))
    }

    /// Each row has to be what is expected of one connection.
    fn compare_closes(&self, port: u16, report: &Report, sight: &Sight, all: &mut Differences) {
        let rows: Vec<&Value> = report.rows("close", port).collect();
        all.number("rows of close", self.connections(), rows.len() as u64);
        let mut missing = self.closes.to_vec();
        let mut strangers = Vec::new();
        // Without sockops a change of state that the kernel skips is seen by nobody: then how it ended is not known.
        let mut unseen = if sight.sockops { 0 } else { report.total("hook_skips") };
        for row in rows {
            let same = missing.iter_mut().find(|(left, close)| *left > 0 && close.differences(row, sight).is_empty());
            match same {
                Some((left, _)) => *left -= 1,
                None if unseen > 0 && row["closed_by"].is_null() && row["how"].is_null() => unseen -= 1,
                None => strangers.push(row),
            }
        }
        let missing = missing.iter().flat_map(|(left, close)| std::iter::repeat_n(close, *left as usize));
        // The first few tell it all.
        for (row, close) in strangers.into_iter().zip(missing).take(3) {
            all.0.extend(close.differences(row, sight));
            all.0.push(format!("in {row}"));
        }
    }
}

impl Truth {
    /// What the client's ledger says, which needs hooks that see what is sent. One that the kernel skipped leaves a
    /// connection asking later than it did.
    pub(crate) fn compare_pool(&self, report: &Report, sight: &Sight, all: &mut Differences) {
        let Some(Pool { asked, needed, avoidable }) = self.pool else { return };
        let is_exact = report.groups(self.port).all(|group| group["avoidable_exact"] == true);
        let (skips, may_skip) = (report.total("hook_skips"), !sight.sockops);
        let is_honest = if may_skip && skips > 0 { sight.sends || !is_exact } else { is_exact == sight.sends };
        all.check(is_honest, || format!("avoidable_exact got {is_exact} with {skips} skips"));
        if is_exact {
            let mut compare = |name, expected| all.number(name, expected, report.count(self.port, name));
            compare("asked", asked);
            compare("needed", needed);
            compare("avoidable", avoidable);
        }
    }
}

impl Close {
    fn requests(&self) -> u64 {
        self.requests.unwrap_or(self.exchanges)
    }

    fn exchanges_with(&self, sight: &Sight) -> u64 {
        self.turns.filter(|_| !sight.sends).unwrap_or(self.exchanges)
    }

    /// On a slow machine a close comes so late that the connection counts as idle.
    fn cause_with(&self, row: &Value, sight: &Sight) -> &'static str {
        let was_idle = row["idle_us"].as_u64() >= Some(100_000);
        match self.cause {
            _ if self.exchanges_with(sight) == 0 => "unused",
            "closed-after-response" if was_idle => "client-idle",
            "server-closed-after-response" if was_idle => "server-idle",
            cause => cause,
        }
    }

    fn is_exact(&self, sight: &Sight) -> bool {
        self.exact && sight.sends
    }

    fn differences(&self, row: &Value, sight: &Sight) -> Vec<String> {
        let mut all = Differences::default();
        all.value("closed_by", &self.closed_by.into(), row);
        all.value("how", &self.how.into(), row);
        let is_seen = sight.sends || self.is_seen_in_syn;
        all.value("protocol", &if is_seen { self.protocol } else { "unknown" }.into(), row);
        all.value("application", &self.application.filter(|_| is_seen).into(), row);
        all.value("exact", &self.is_exact(sight).into(), row);
        all.value("exchanges", &self.exchanges_with(sight).into(), row);
        all.value("cause", &self.cause_with(row, sight).into(), row);
        match self.unread_bytes {
            Unread::Exactly(bytes) => all.value("unread_bytes", &bytes.into(), row),
            Unread::AtLeastOne if row["unread_bytes"].as_u64() > Some(0) => {}
            Unread::AtLeastOne => all.add("close.unread_bytes", "at least 1", &row["unread_bytes"]),
            Unread::Undefined => {}
        }
        all.0
    }
}

/// What was expected and is not so.
#[derive(Default)]
pub(crate) struct Differences(pub(crate) Vec<String>);

impl Differences {
    pub(crate) fn number(&mut self, name: &str, expected: u64, got: u64) {
        if got != expected {
            self.0.push(format!("{name} expected {expected} got {got}"));
        }
    }

    pub(crate) fn flag(&mut self, name: &str, expected: bool, got: &Value) {
        if *got != expected {
            self.add(name, if expected { "true" } else { "false" }, got);
        }
    }

    /// What cannot be measured by a single value.
    pub(crate) fn check(&mut self, holds: bool, message: impl FnOnce() -> String) {
        if !holds {
            self.0.push(message());
        }
    }

    pub(crate) fn value(&mut self, name: &str, expected: &Value, row: &Value) {
        if row[name] != *expected {
            self.0.push(format!("close.{name} expected {expected} got {}", row[name]));
        }
    }

    fn add(&mut self, name: &str, expected: &str, got: &Value) {
        self.0.push(format!("{name} expected {expected} got {got}"));
    }
}
