//! The limit of open files. Without room for its programs and maps, a watch would fail somewhere in the middle of its
//! start, with an error about something else.

use std::fs;

use anyhow::ensure;
use rustix::process::{Resource, getrlimit};

/// Programs, maps, attachments, and the files of every option. What comes later (descriptors of processes, clients of
/// `--metrics`) is done without where there is no room.
const NEEDED: u64 = 56;

/// Fails if the start of a watch would run out of files.
pub(crate) fn check() -> anyhow::Result<()> {
    let Some(limit) = getrlimit(Resource::Nofile).current else { return Ok(()) };
    // Not even the folder can be opened if none is left. The folder itself is one of them.
    let open = fs::read_dir("/proc/self/fd").map_or(limit, |files| (files.count() as u64).saturating_sub(1));
    ensure!(
        limit.saturating_sub(open) >= NEEDED,
        "the limit of open files is {limit}, and {open} are open: a watch needs {NEEDED} more; raise it: ulimit -n {}",
        open + NEEDED
    );
    Ok(())
}
