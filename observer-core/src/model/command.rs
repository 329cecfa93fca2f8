//! A program that was run to be watched, and how it ended.

/// Known only once it has ended, so it is no part of [`super::WatchInfo`], which is recorded at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments. Bytes that are no UTF-8 are replaced.
    pub argv: Vec<String>,
    /// None if a signal ended it.
    pub exit_code: Option<i32>,
    /// The name of the signal that ended it, by [`super::signal_name`].
    pub signal: Option<String>,
    /// From its start to its end.
    pub wall_us: u64,
    /// The processor time that it and its waited-for descendants used outside the kernel.
    pub user_us: u64,
}
