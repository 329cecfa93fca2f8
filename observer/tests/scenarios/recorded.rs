//! What a watch has recorded, asked port by port: counters that JSON does not show.

use std::{collections::HashMap, fs, path::Path};

use anyhow::{Context as _, Result};
use serde_json::Value;

/// Groups as last recorded, by their key.
#[derive(Default)]
pub(crate) struct Recorded(HashMap<String, Value>);

impl Recorded {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).context("nothing was recorded")?;
        let mut groups = HashMap::new();
        for line in text.lines() {
            let mut line: Value = serde_json::from_str(line).with_context(|| format!("this is not JSON: {line}"))?;
            if let Value::Array(changed) = line["sample"]["groups"].take() {
                groups.extend(changed.into_iter().map(|group| (group["key"].to_string(), group)));
            }
        }
        Ok(Self(groups))
    }

    /// Connections that are over, by how many exchanges they have carried, and these exchanges; over all groups of a port.
    pub(crate) fn closed_exchanges(&self, port: u16) -> ([u64; 5], u64) {
        let (mut buckets, mut sum) = ([0; 5], 0);
        for group in self.0.values().filter(|group| group["key"]["port"] == port) {
            let counters = &group["counters"];
            for (bucket, n) in buckets.iter_mut().zip(counters["closed_exchanges"].as_array().into_iter().flatten()) {
                *bucket += n.as_u64().unwrap_or(0);
            }
            sum += counters["closed_exchanges_sum"].as_u64().unwrap_or(0);
        }
        (buckets, sum)
    }
}
