//! What is watched, and by what means.

/// What a watch is, said once at its start and again in the summary.
#[derive(Clone, Debug, Default)]
pub struct About {
    pub hooks: Vec<String>,
    /// Better sets of hooks, and why they could not be had.
    pub not_taken: Vec<String>,
    /// Release of the running kernel.
    pub kernel: String,
    /// As given; none means every port.
    pub ports: Vec<String>,
    /// What else limits what is watched, each as it is said to a person.
    pub filters: Vec<String>,
    /// Connections that were open when it began.
    pub pre_existing: u64,
    pub started_unix_ns: i64,
}
