//! What a watch comes to at its end: all that summaries and reports show.

use crate::{
    model::{Command, WatchInfo},
    tracker::Snapshot,
};

pub struct Conclusion<'a> {
    pub about: &'a WatchInfo,
    /// The final one.
    pub snapshot: &'a Snapshot,
    /// The program that was run to be watched. None if there was none.
    pub command: Option<Command>,
}

impl<'a> Conclusion<'a> {
    pub fn new(about: &'a WatchInfo, snapshot: &'a Snapshot) -> Self {
        Self { about, snapshot, command: None }
    }
}
