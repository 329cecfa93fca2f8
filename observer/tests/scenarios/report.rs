//! The JSON output of a watch, queried by port.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::Value;

pub(crate) struct Report {
    /// All lines between `start` and `summary`.
    rows: Vec<Value>,
    pub(crate) summary: Value,
}

impl Report {
    pub(crate) fn read(lines: impl IntoIterator<Item = String>) -> Result<Self> {
        let parse =
            |line: String| serde_json::from_str(&line).with_context(|| format!("this line is not JSON: {line}"));
        let mut rows = lines.into_iter().map(parse).collect::<Result<Vec<Value>>>()?;
        let summary = rows.pop().filter(|row| row["type"] == "summary").context("the last line is not a summary")?;
        Ok(Self { rows, summary })
    }

    /// Rows of one type and port.
    pub(crate) fn rows<'a>(&'a self, kind: &'a str, port: u16) -> impl Iterator<Item = &'a Value> {
        self.rows.iter().filter(move |row| row["type"] == kind && row["port"] == port)
    }

    /// Sums a counter over all groups of a port.
    pub(crate) fn count(&self, port: u16, name: &str) -> u64 {
        self.groups(port).filter_map(|group| group[name].as_u64()).sum()
    }

    /// Failed connects by error, over all groups of a port.
    pub(crate) fn failures(&self, port: u16) -> BTreeMap<&str, u64> {
        let mut failures = BTreeMap::new();
        for (error, times) in self.groups(port).filter_map(|group| group["failures"].as_object()).flatten() {
            *failures.entry(error.as_str()).or_default() += times.as_u64().unwrap_or(0);
        }
        failures
    }

    /// Closed connections in all lifetime buckets, over all groups of a port.
    pub(crate) fn lifetimes(&self, port: u16) -> u64 {
        let buckets = self.groups(port).filter_map(|group| group["lifetimes"].as_object());
        buckets.flatten().filter_map(|(_, connections)| connections.as_u64()).sum()
    }

    pub(crate) fn total(&self, name: &str) -> u64 {
        self.summary["totals"][name].as_u64().unwrap_or(0)
    }

    pub(crate) fn groups(&self, port: u16) -> impl Iterator<Item = &Value> {
        self.summary["groups"].as_array().into_iter().flatten().filter(move |group| group["port"] == port)
    }
}
