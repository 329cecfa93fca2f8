//! What a scrape sees: everything at one moment, as plain data.

use super::{LabelSet, Tally};
use crate::event::{LossSample, ProgramSample};

#[derive(Clone, Debug, Default)]
pub(crate) struct Scrape {
    /// In order. None, which is last: what had no room.
    pub(crate) sets: Vec<(Option<LabelSet>, Set)>,
    /// Everything that was ever counted, whatever has left since.
    pub(crate) host: Tally,
    /// Sockets in TIME_WAIT, by destination and port; None where they cannot be listed.
    pub(crate) time_wait: Option<Vec<(Option<LabelSet>, u64)>>,
    /// Label sets without room of their own that were counted not longer ago than the expiry.
    pub(crate) overflowed: u64,
    pub(crate) lost: Lost,
    pub(crate) programs: Vec<ProgramSample>,
}

/// What is shown for a label set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Set {
    pub(crate) tally: Tally,
    /// Connections that are open now.
    pub(crate) open: u64,
}

/// What was missed, by where it found no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    /// As sampled, with the rows of all three places together.
    pub(crate) sampled: LossSample,
    /// Rows that standard output did not take, and those that the recording did not.
    pub(crate) output_rows: u64,
    pub(crate) recording_rows: u64,
}

impl Lost {
    /// Rows that the kernel's ring had no room for.
    pub(crate) fn ring_rows(&self) -> u64 {
        self.sampled.rows.saturating_sub(self.output_rows + self.recording_rows)
    }
}
