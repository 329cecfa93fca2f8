//! What a scrape sees: everything at one moment, as plain data.

use super::{LabelSet, Tally};
use crate::model::{LossSample, ProgramSample};

#[derive(Clone, Debug, Default)]
pub struct Scrape {
    /// In order. None, which is last: what had no room.
    pub sets: Vec<(Option<LabelSet>, Set)>,
    /// Everything that was ever counted, whatever has left since.
    pub host: Tally,
    /// Sockets in TIME_WAIT, by destination and port; None where they cannot be listed.
    pub time_wait: Option<Vec<(Option<LabelSet>, u64)>>,
    /// Label sets without room of their own that were counted not longer ago than the expiry.
    pub overflowed: u64,
    pub lost: Lost,
    pub programs: Vec<ProgramSample>,
}

/// What is shown for a label set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Set {
    pub tally: Tally,
    /// Connections that are open now.
    pub open: u64,
}

/// What was missed, by where it found no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// As sampled, with the rows of all three places together.
    pub sampled: LossSample,
    /// Rows that standard output did not take, and those that the recording did not.
    pub output_rows: u64,
    pub recording_rows: u64,
}

impl Lost {
    /// Rows that the kernel's ring had no room for.
    pub fn ring_rows(&self) -> u64 {
        self.sampled.rows.saturating_sub(self.output_rows + self.recording_rows)
    }
}
