//! The identity of a process.

/// Identifies a process and the program that it runs. The start time sets it apart from a later process with the same
/// pid, and the name from another program that the process has executed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    pub pid: u32,
    /// Start time in clock ticks since boot.
    pub start_ticks: u64,
    /// The name as the kernel keeps it: at most 15 bytes, padded with NUL.
    pub comm: [u8; 16],
}
