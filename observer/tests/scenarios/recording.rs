//! The recording of a watch, queried by port, for counters that the JSON output does not contain.

use std::{collections::HashMap, fs, path::Path};

use anyhow::{Context as _, Result};
use serde_json::Value;

/// The last recorded state of each group, by its key.
#[derive(Default)]
pub(crate) struct Recording(HashMap<String, Value>);

impl Recording {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).context("cannot read the recording")?;
        let mut groups = HashMap::new();
        for line in text.lines() {
            let mut line: Value = serde_json::from_str(line).with_context(|| format!("this is not JSON: {line}"))?;
            if let Value::Array(changed) = line["sample"]["groups"].take() {
                groups.extend(changed.into_iter().map(|group| (group["key"].to_string(), group)));
            }
        }
        Ok(Self(groups))
    }

    /// Closed connections by number of exchanges, and the sum of these exchanges, over all groups of a port.
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
