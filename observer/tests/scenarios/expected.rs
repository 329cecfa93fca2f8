//! The expected report of a scenario's connections as plain data, and its comparison with the tool's actual report.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{hook_set::HookSet, ledger::Pool, peer::Truth, recording::Recording, report::Report};

/// Every connect of a scenario to its port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    /// Failed connects, by error.
    pub(crate) failures: &'static [(&'static str, u64)],
    /// Established connections, all of which have closed: their number, and the expected row of each.
    pub(crate) closes: &'static [(u64, Close)],
}

/// The expected `close` row of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Close {
    pub(crate) closed_by: &'static str,
    pub(crate) how: &'static str,
    pub(crate) unread_bytes: Unread,
    /// The cause of the close if the connection carried an exchange; otherwise the cause is `unused`.
    pub(crate) cause: &'static str,
    pub(crate) exchanges: u64,
    /// Reported instead of `exchanges` by hook sets that do not see sends, where the two differ: without sends, every
    /// turn of a set-up looks like an exchange.
    pub(crate) turns: Option<u64>,
    /// Requests that the peer answers, where they differ from `exchanges`. The connection is inexact then.
    pub(crate) requests: Option<u64>,
    pub(crate) protocol: &'static str,
    pub(crate) application: Option<&'static str>,
    /// The first payload goes out with the SYN, where every hook set sees it.
    pub(crate) is_seen_in_syn: bool,
    /// Holds for hook sets that see sends; with others no connection is exact.
    pub(crate) exact: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Unread {
    Exactly(u64),
    /// The number depends on how much of the answer had arrived.
    AtLeastOne,
    /// A reset by the peer discards unread bytes.
    Undefined,
}

impl Close {
    /// One request whose answer is read to its end, then a FIN by the client.
    pub(crate) const TYPICAL: Self = Self {
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
        Self { how: "rst", unread_bytes: Unread::AtLeastOne, cause: "unread-response", ..Self::TYPICAL };
    pub(crate) const BY_PEER: Self = Self { closed_by: "peer", cause: "server-closed-after-response", ..Self::TYPICAL };
    pub(crate) const UNUSED: Self = Self { exchanges: 0, protocol: "unknown", application: None, ..Self::TYPICAL };
    /// The protocol is not recognised, so turns are counted and marked.
    pub(crate) const UNRECOGNISED: Self = Self { application: None, exact: false, ..Self::TYPICAL };
}

impl Expected {
    fn connections(&self) -> u64 {
        self.closes.iter().map(|(connections, _)| connections).sum()
    }

    fn sum(&self, of: impl Fn(&Close) -> u64) -> u64 {
        self.closes.iter().map(|(connections, close)| connections * of(close)).sum()
    }

    /// Returns one line per difference.
    pub(crate) fn differences(
        &self,
        truth: &Truth,
        report: &Report,
        recording: &Recording,
        hooks: &HookSet,
    ) -> Vec<String> {
        let mut all = Differences::default();
        all.count("connections that the peer accepted", self.connections(), truth.connections);
        all.count("requests that the peer answered", self.sum(Close::requests), truth.exchanges);
        let is_consistent = |close: &Close| !close.exact || close.requests() == close.exchanges;
        all.check(self.closes.iter().all(|(_, close)| is_consistent(close)), || {
            "exact is expected of a connection whose exchanges are not its requests".into()
        });
        self.compare_group(truth.port, report, hooks, &mut all);
        self.compare_closes(truth.port, report, hooks, &mut all);
        truth.compare_pool(report, hooks, &mut all);
        all.count(
            "rows of avoidable connections",
            report.count(truth.port, "avoidable"),
            report.rows("close", truth.port).filter(|row| row["avoidable"] == true).count() as u64,
        );
        let (expected, got) = (self.closed_exchanges(hooks), recording.closed_exchanges(truth.port));
        all.check(got == expected, || {
            format!(
                "exchanges of closed connections expected {expected:?} got {got:?} with {} skips",
                report.total("hook_skips")
            )
        });
        all.0
    }

    fn compare_group(&self, port: u16, report: &Report, hooks: &HookSet, all: &mut Differences) {
        let connections = self.connections();
        let failed = self.failures.iter().map(|(_, times)| times).sum();
        all.count("lifetimes", connections, report.lifetimes(port));
        let mut compare = |name, expected| all.count(name, expected, report.count(port, name));
        compare("opened", connections);
        compare("closed", connections);
        compare("open", 0);
        compare("failed", failed);
        compare("unused", self.sum(|close| u64::from(close.exchanges_with(hooks) == 0)));
        compare("new", self.sum(|close| close.exchanges_with(hooks).min(1)));
        compare("reused", self.sum(|close| close.exchanges_with(hooks).saturating_sub(1)));
        compare("inexact", self.sum(|close| if close.is_exact(hooks) { 0 } else { close.exchanges_with(hooks) }));
        if hooks.sees_sends {
            // A set-up turn does not ask.
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
        all.count("rows of open", connections, report.rows("open", port).count() as u64);
    }

    /// Closed connections with 1, 2 to 9, 10 to 99, 100 to 999 and more exchanges, and the sum of their exchanges.
    fn closed_exchanges(&self, hooks: &HookSet) -> ([u64; 5], u64) {
        let mut buckets = [0; 5];
        for (connections, close) in self.closes {
            match close.exchanges_with(hooks) {
                0 => {}
                1 => buckets[0] += connections,
                2..=9 => buckets[1] += connections,
                10..=99 => buckets[2] += connections,
                100..=999 => buckets[3] += connections,
                _ => buckets[4] += connections,
            }
        }
        (buckets, self.sum(|close| close.exchanges_with(hooks)))
    }

    /// Pairs every row with one expected connection.
    fn compare_closes(&self, port: u16, report: &Report, hooks: &HookSet, all: &mut Differences) {
        let rows: Vec<&Value> = report.rows("close", port).collect();
        all.count("rows of close", self.connections(), rows.len() as u64);
        let mut missing = self.closes.to_vec();
        let mut unmatched = Vec::new();
        // Without sockops, no hook sees a change of state that the kernel skips, so that close is unknown.
        let mut unseen = if hooks.has_sockops { 0 } else { report.total("hook_skips") };
        for row in rows {
            let equal = missing.iter_mut().find(|(left, close)| *left > 0 && close.differences(row, hooks).is_empty());
            match equal {
                Some((left, _)) => *left -= 1,
                None if unseen > 0 && row["closed_by"].is_null() && row["how"].is_null() => unseen -= 1,
                None => unmatched.push(row),
            }
        }
        let missing = missing.iter().flat_map(|(left, close)| std::iter::repeat_n(close, *left as usize));
        // Three rows are enough to diagnose a failure.
        for (row, close) in unmatched.into_iter().zip(missing).take(3) {
            all.0.extend(close.differences(row, hooks));
            all.0.push(format!("in {row}"));
        }
    }
}

impl Truth {
    /// Compares the client's ledger with the report. This needs hooks that see sends: after a skipped hook, a connection
    /// seems to ask later than it did.
    pub(crate) fn compare_pool(&self, report: &Report, hooks: &HookSet, all: &mut Differences) {
        let Some(Pool { asked, needed, avoidable }) = self.pool else { return };
        let is_exact = report.groups(self.port).all(|group| group["avoidable_exact"] == true);
        let (skips, may_skip) = (report.total("hook_skips"), !hooks.has_sockops);
        let is_justified =
            if may_skip && skips > 0 { hooks.sees_sends || !is_exact } else { is_exact == hooks.sees_sends };
        all.check(is_justified, || format!("avoidable_exact got {is_exact} with {skips} skips"));
        if is_exact {
            let mut compare = |name, expected| all.count(name, expected, report.count(self.port, name));
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

    fn exchanges_with(&self, hooks: &HookSet) -> u64 {
        self.turns.filter(|_| !hooks.sees_sends).unwrap_or(self.exchanges)
    }

    /// On a slow machine a close may come so late that the connection counts as idle.
    fn cause_with(&self, row: &Value, hooks: &HookSet) -> &'static str {
        let was_idle = row["idle_us"].as_u64() >= Some(100_000);
        match self.cause {
            _ if self.exchanges_with(hooks) == 0 => "unused",
            "closed-after-response" if was_idle => "client-idle",
            "server-closed-after-response" if was_idle => "server-idle",
            cause => cause,
        }
    }

    fn is_exact(&self, hooks: &HookSet) -> bool {
        self.exact && hooks.sees_sends
    }

    fn differences(&self, row: &Value, hooks: &HookSet) -> Vec<String> {
        let mut all = Differences::default();
        all.field("closed_by", &self.closed_by.into(), row);
        all.field("how", &self.how.into(), row);
        let is_seen = hooks.sees_sends || self.is_seen_in_syn;
        all.field("protocol", &if is_seen { self.protocol } else { "unknown" }.into(), row);
        all.field("application", &self.application.filter(|_| is_seen).into(), row);
        all.field("exact", &self.is_exact(hooks).into(), row);
        all.field("exchanges", &self.exchanges_with(hooks).into(), row);
        all.field("cause", &self.cause_with(row, hooks).into(), row);
        match self.unread_bytes {
            Unread::Exactly(bytes) => all.field("unread_bytes", &bytes.into(), row),
            Unread::AtLeastOne if row["unread_bytes"].as_u64() > Some(0) => {}
            Unread::AtLeastOne => all.add("close.unread_bytes", "at least 1", &row["unread_bytes"]),
            Unread::Undefined => {}
        }
        all.0
    }
}

/// Differences from what was expected, one line each.
#[derive(Default)]
pub(crate) struct Differences(pub(crate) Vec<String>);

impl Differences {
    pub(crate) fn count(&mut self, name: &str, expected: u64, got: u64) {
        if got != expected {
            self.0.push(format!("{name} expected {expected} got {got}"));
        }
    }

    pub(crate) fn flag(&mut self, name: &str, expected: bool, got: &Value) {
        if *got != expected {
            self.add(name, if expected { "true" } else { "false" }, got);
        }
    }

    /// Adds `message` unless the condition holds.
    pub(crate) fn check(&mut self, holds: bool, message: impl FnOnce() -> String) {
        if !holds {
            self.0.push(message());
        }
    }

    pub(crate) fn field(&mut self, name: &str, expected: &Value, row: &Value) {
        if row[name] != *expected {
            self.0.push(format!("close.{name} expected {expected} got {}", row[name]));
        }
    }

    fn add(&mut self, name: &str, expected: &str, got: &Value) {
        self.0.push(format!("{name} expected {expected} got {got}"));
    }
}
