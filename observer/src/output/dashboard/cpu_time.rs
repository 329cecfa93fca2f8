//! The CPU time of repeated work, for the diagnostics.

use std::{fmt, time::Duration};

use rustix::time::{ClockId, clock_gettime};

#[derive(Default)]
pub(super) struct CpuTime {
    runs: u32,
    sum: Duration,
    max: Duration,
}

impl CpuTime {
    pub(super) fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let began = of_this_thread();
        let result = work();
        let took = of_this_thread().saturating_sub(began);
        self.runs += 1;
        self.sum += took;
        self.max = self.max.max(took);
        result
    }
}

fn of_this_thread() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

impl fmt::Display for CpuTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = |time: Duration| time.as_micros();
        write!(f, "{}, {} us each, {} us at most", self.runs, us(self.sum / self.runs.max(1)), us(self.max))
    }
}
