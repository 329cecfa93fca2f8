//! The CPU time of repeated work, for the diagnostics.

use std::{fmt, time::Duration};

use crate::host::clock::CpuTimer;

#[derive(Default)]
pub(super) struct CpuTime {
    runs: u32,
    sum: Duration,
    max: Duration,
}

impl CpuTime {
    pub(super) fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let timer = CpuTimer::start();
        let result = work();
        let took = timer.elapsed();
        self.runs += 1;
        self.sum += took;
        self.max = self.max.max(took);
        result
    }
}

impl fmt::Display for CpuTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = |time: Duration| time.as_micros();
        write!(f, "{}, {} us each, {} us at most", self.runs, us(self.sum / self.runs.max(1)), us(self.max))
    }
}
