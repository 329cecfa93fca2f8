//! The description of a watch.

use serde::{Deserialize, Serialize};

/// What a watch observes and how. It is reported when the watch starts and again in the summary.
#[derive(Clone, Debug, Default)]
pub struct WatchInfo {
    pub hooks: Vec<String>,
    /// Better sets of hooks that were not available, and why.
    pub hooks_not_taken: Vec<String>,
    /// Release of the running kernel.
    pub kernel: String,
    /// The ports as the user gave them; empty means every port.
    pub ports: Vec<String>,
    /// All other filters, in the words shown to the user.
    pub filters: Vec<String>,
    /// The same filters by kind. None in recordings that have only the words.
    pub filters_by_kind: Option<Filters>,
    /// Number of connections that were already open when the watch began.
    pub pre_existing: u64,
    pub started_unix_ns: i64,
}

/// The filters of a watch besides the ports, as the user gave them. An empty list excludes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filters {
    /// Networks in CIDR notation.
    pub destinations: Vec<String>,
    pub pids: Vec<u32>,
    /// Names of processes.
    pub processes: Vec<String>,
}
