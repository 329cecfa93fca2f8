//! Interleaved runs: off, on, off, another on, off, ... Rates drift on shared machines, so each run with a contestant
//! is compared with the runs right before and after it.

use std::path::Path;

use anyhow::Result;

use super::contestant::{Contestant, let_drain};
use super::load::{Done, Load};

/// A run with a contestant, and the runs without one before and after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) contestant: Contestant,
    pub(super) on: Done,
    pub(super) off: [Done; 2],
}

impl Run {
    /// Share of the throughput that remains.
    pub(super) fn kept(&self) -> f64 {
        self.on.rate * 2.0 / (self.off[0].rate + self.off[1].rate)
    }
}

/// Runs every contestant once per round.
pub(super) fn interleaved(tool: &Path, load: Load, contestants: &[Contestant], rounds: usize) -> Result<Vec<Run>> {
    let server = load.server()?;
    // Warm up the CPU caches.
    load.run(&server)?;
    let mut runs = Vec::new();
    for round in 1..=rounds {
        let mut before = load.run(&server)?;
        // Rotate the order: otherwise the leftovers of a run, such as TIME_WAIT, would always burden the same contestant.
        let first = round % contestants.len();
        for contestant in contestants[first..].iter().chain(&contestants[..first]) {
            let started = contestant.start(tool, server.port, &[])?;
            let on = load.run(&server)?;
            let_drain();
            started.stop()?;
            let after = load.run(&server)?;
            let run = Run { contestant: *contestant, on, off: [before, after] };
            println!("{round}/{rounds} {}: {:.0}/s, kept {:.3}", contestant.name(), on.rate, run.kept());
            runs.push(run);
            before = after;
        }
    }
    Ok(runs)
}

pub(super) fn runs_of(runs: &[Run], contestant: Contestant) -> impl Iterator<Item = &Run> {
    runs.iter().filter(move |run| run.contestant == contestant)
}
