//! What a watch holds for connections, groups and processes: entries of maps, and descriptors.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::support::bpf::entries_of;
use crate::support::running::open_files_of;

/// Time limit until nothing is held any more. Counters are read once a second, and less often with many groups.
const PATIENCE: Duration = Duration::from_mins(2);
const INTERVAL: Duration = Duration::from_millis(200);

/// The overflow group of a user stays until slots are scarce. All clients belong to one user.
pub(super) const MAX_OVERFLOW_GROUPS: usize = 1;

#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// Entries of maps
    pub(super) connections: usize,
    pub(super) groups: usize,
    /// Open files
    pub(super) files: usize,
}

impl Held {
    pub(super) fn now(pid: u32) -> Result<Self> {
        Ok(Self {
            connections: entries_of(pid, "CONNECTIONS")?,
            groups: entries_of(pid, "GROUPS")?,
            files: open_files_of(pid),
        })
    }

    /// What is left once all clients have ended.
    pub(super) fn at_last(pid: u32, at_first: Self) -> Result<Self> {
        let end = Instant::now() + PATIENCE;
        loop {
            let held = Self::now(pid)?;
            let is_nothing =
                held.connections == 0 && held.groups <= MAX_OVERFLOW_GROUPS && held.files <= at_first.files;
            if is_nothing || Instant::now() > end {
                return Ok(held);
            }
            sleep(INTERVAL);
        }
    }
}
