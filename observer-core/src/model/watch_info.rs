//! The description of a watch.

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
    /// Number of connections that were already open when the watch began.
    pub pre_existing: u64,
    pub started_unix_ns: i64,
}
