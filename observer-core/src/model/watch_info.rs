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
    /// Whether their descendants are watched too.
    pub children: bool,
    /// The command that was run to be watched, with its descendants. Empty: none.
    pub command: Vec<String>,
    /// Names of processes.
    pub processes: Vec<String>,
}

impl WatchInfo {
    /// Why sock_ops is not attached, in at most 200 characters. None if it is.
    pub fn why_without_sockops(&self) -> Option<&str> {
        const SOCKOPS: &str = "sockops";
        const MAX_CHARACTERS: usize = 200;
        if self.hooks.iter().any(|hook| hook == SOCKOPS) {
            return None;
        }
        // Each is `HOOK,HOOK: why`.
        let mut reasons = self.hooks_not_taken.iter().filter_map(|text| text.split_once(": "));
        let why = reasons.find(|(set, _)| set.split(',').any(|hook| hook == SOCKOPS)).map(|(_, why)| why);
        // A set that the user chose has no better ones.
        let why = why.unwrap_or("--hooks leaves it out");
        Some(why.char_indices().nth(MAX_CHARACTERS).map_or(why, |(end, _)| &why[..end]))
    }
}
