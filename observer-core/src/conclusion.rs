//! What a watch comes to at its end: all that summaries and reports show.

use crate::{
    gate::{Judgement, Verdict},
    model::{Command, WatchInfo},
    tracker::Snapshot,
};

pub struct Conclusion<'a> {
    pub about: &'a WatchInfo,
    /// The final one.
    pub snapshot: &'a Snapshot,
    /// The program that was run to be watched. None if there was none.
    pub command: Option<Command>,
    /// None if no gate was asked for.
    pub gates: Option<Vec<Judgement>>,
}

impl<'a> Conclusion<'a> {
    pub fn new(about: &'a WatchInfo, snapshot: &'a Snapshot) -> Self {
        Self { about, snapshot, command: None, gates: None }
    }

    /// Whether a gate has failed.
    pub fn has_failed(&self) -> bool {
        self.gates.iter().flatten().any(|judged| judged.verdict == Verdict::Failed)
    }
}
