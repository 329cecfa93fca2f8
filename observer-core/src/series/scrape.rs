//! The data of one scrape.

use super::{counters::Counters, label::LabelSet};
use crate::model::{LossSample, ProgramSample};

#[derive(Clone, Debug, Default)]
pub struct Scrape {
    /// In order of the label sets. The overflow set has None and is last.
    pub sets: Vec<(Option<LabelSet>, Values)>,
    /// Totals of the host, including label sets that have expired.
    pub host: Counters,
    /// Sockets in TIME_WAIT by destination and port; None if the kernel cannot list them.
    pub time_wait: Option<Vec<(Option<LabelSet>, u64)>>,
    /// None if the kernel cannot list sockets.
    pub local_ports: Option<LocalPorts>,
    /// Number of label sets that the overflow set has counted within the expiry time.
    pub overflowed: u64,
    pub losses: Losses,
    pub programs: Vec<ProgramSample>,
}

/// Local ports, of which each source address has its own for each destination.
#[derive(Clone, Debug, Default)]
pub struct LocalPorts {
    /// How many connects choose from.
    pub available: u64,
    /// How many are taken by sockets to a destination and port, from the source address that has the most.
    pub taken: Vec<(Option<LabelSet>, u64)>,
}

/// The counters and gauges of a label set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Values {
    pub counters: Counters,
    /// Gauge: connections that are open now.
    pub open: u64,
}

/// Losses by the place where they happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// As sampled. Its `rows` are the total of the ring, standard output and the recording.
    pub sampled: LossSample,
    /// Rows that standard output dropped.
    pub output_rows: u64,
    /// Rows that the recording dropped.
    pub recording_rows: u64,
}

impl Losses {
    /// Rows dropped because the kernel's ring was full.
    pub fn ring_rows(&self) -> u64 {
        self.sampled.rows.saturating_sub(self.output_rows + self.recording_rows)
    }
}
