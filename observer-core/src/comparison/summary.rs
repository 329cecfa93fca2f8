//! Reads the summary object that `views::json` writes, of this version or another. Unknown fields are ignored, and absent
//! ones are None.

use std::{collections::BTreeMap, io::Read, net::IpAddr};

use anyhow::{anyhow, ensure};
use serde::Deserialize;

use crate::printable::printable;

/// The newest version of the format that can be read.
const SCHEMA: u32 = 1;

#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Version of the program that watched.
    pub version: Option<String>,
    /// Release of the kernel that was watched.
    pub kernel: Option<String>,
    pub hooks: Option<Vec<String>>,
    pub duration_us: Option<u64>,
    pub complete: Option<bool>,
    pub losses: Losses,
    pub(super) groups: Vec<SummaryGroup>,
}

/// What the watch missed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Losses {
    pub untracked: Option<u64>,
    pub counts_lost: Option<u64>,
    pub unrecovered_skips: Option<u64>,
    pub ownerless: Option<u64>,
    /// Rows, which no count needs.
    pub events_lost: Option<u64>,
    /// Sockets in listings by state, likewise.
    pub unlisted: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SummaryGroup {
    pub(super) process: Option<String>,
    pub(super) remote: Option<IpAddr>,
    /// The name of the destination.
    pub(super) name: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) overflow: bool,
    pub(super) opened: Option<u64>,
    pub(super) failed: Option<u64>,
    pub(super) closed: Option<u64>,
    pub(super) new: Option<u64>,
    pub(super) reused: Option<u64>,
    pub(super) inexact: Option<u64>,
    pub(super) marked: Option<u64>,
    pub(super) asked: Option<u64>,
    pub(super) needed: Option<u64>,
    pub(super) avoidable: Option<u64>,
    pub(super) avoidable_exact: Option<bool>,
    pub(super) closes: Option<BTreeMap<String, u64>>,
}

/// Any object of the JSON output. Only a summary has all of the fields.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Object {
    r#type: Option<String>,
    schema: Option<u32>,
    version: Option<String>,
    kernel: Option<String>,
    hooks: Option<Vec<String>>,
    duration_us: Option<u64>,
    complete: Option<bool>,
    totals: Option<Losses>,
    groups: Option<Vec<SummaryGroup>>,
}

impl Summary {
    /// Reads JSON objects to the end, and returns the last summary among them. The objects may span lines.
    pub fn read(reader: impl Read) -> anyhow::Result<Self> {
        let mut summary = None;
        let objects = serde_json::Deserializer::from_reader(reader).into_iter::<Object>();
        for (n, object) in objects.enumerate() {
            let object = object.map_err(|error| malformed(&error, n == 0))?;
            if object.r#type.as_deref() == Some("summary") {
                summary = Some(object);
            }
        }
        let summary = summary.ok_or_else(|| {
            anyhow!("it has no summary, which a watch writes when it ends: end it by Ctrl-C, SIGTERM or --duration, and keep all of its output")
        })?;
        Self::from_object(summary)
    }

    fn from_object(object: Object) -> anyhow::Result<Self> {
        let Object { r#type: _, schema, version, kernel, hooks, duration_us, complete, totals, groups } = object;
        let schema = schema.unwrap_or(SCHEMA);
        ensure!(
            schema <= SCHEMA,
            "its summary has format {schema}, made by tcp-reuse-watch {}; this one ({}) reads format {SCHEMA}: compare with the newer version",
            printable(version.as_deref().unwrap_or("?")),
            env!("CARGO_PKG_VERSION")
        );
        Ok(Self {
            version: version.filter(|version| !version.is_empty()),
            kernel: kernel.filter(|kernel| !kernel.is_empty()),
            hooks,
            duration_us,
            complete,
            losses: totals.unwrap_or_default(),
            groups: groups.ok_or_else(|| anyhow!("its summary has no groups, so there is nothing to compare"))?,
        })
    }

    /// Whether it is known that no count of connections was lost.
    pub fn are_counts_complete(&self) -> bool {
        let Losses { untracked, counts_lost, unrecovered_skips, ownerless, .. } = self.losses;
        let are_none_lost = [untracked, counts_lost, unrecovered_skips, ownerless].iter().all(|lost| *lost == Some(0));
        are_none_lost || self.complete == Some(true)
    }
}

/// Why the text is not the JSON output of a watch.
fn malformed(error: &serde_json::Error, is_first: bool) -> anyhow::Error {
    let reason = printable(&error.to_string());
    if error.is_io() {
        anyhow!("cannot be read: {reason}")
    } else if error.is_eof() {
        anyhow!(
            "cut off in line {}: use a complete one, or a recording, which is compared as far as it goes",
            error.line()
        )
    } else if is_first {
        anyhow!("neither a recording (--record) nor a JSON summary (--summary, or the output of -o json): {reason}")
    } else {
        anyhow!("not the JSON output of a watch alone: {reason}")
    }
}
