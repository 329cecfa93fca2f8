//! A budget of CPU time for work whose cost varies: after each run, the work pauses for a multiple of the run's cost. The
//! cost is CPU time, because a run that had to wait for a busy machine is no more expensive for that.

use std::time::{Duration, Instant};

pub(crate) struct Throttle {
    /// Idle time after a run, as a multiple of its cost: 20 means at most 5 % of a CPU.
    idle_factor: u32,
    min_interval: Duration,
    next: Instant,
}

impl Throttle {
    /// The first run is due at once.
    pub(crate) fn new(idle_factor: u32, min_interval: Duration) -> Self {
        Self { idle_factor, min_interval, next: Instant::now() }
    }

    pub(crate) fn is_due(&self) -> bool {
        Instant::now() >= self.next
    }

    /// When the next run is due.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Records that a run has just ended, and its CPU time.
    pub(crate) fn ran(&mut self, cost: Duration) {
        self.next = Instant::now() + self.min_interval.max(cost * self.idle_factor);
    }
}
