//! The clock. The kernel side uses `CLOCK_MONOTONIC`, the outputs use UTC.

use std::time::Duration;

use observer_core::TimeBase;
use rustix::time::{ClockId, clock_gettime};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) base: TimeBase,
}

/// How often the two clocks are compared. On a busy machine, time may pass between reading one and the other.
const COMPARISONS: usize = 8;

fn now_ns(clock: ClockId) -> i64 {
    let now = clock_gettime(clock);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// How far UTC is ahead of `CLOCK_MONOTONIC`, by the comparison that took the least time.
fn offset_ns() -> i64 {
    let comparison = |_| {
        let before = now_ns(ClockId::Monotonic);
        let unix_ns = now_ns(ClockId::Realtime);
        let after = now_ns(ClockId::Monotonic);
        (after - before, unix_ns - before - (after - before) / 2)
    };
    (0..COMPARISONS).map(comparison).min().map_or(0, |(_, offset_ns)| offset_ns)
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { base: TimeBase::new(offset_ns()) }
    }

    pub(crate) fn now_unix_ns(self) -> i64 {
        self.base.unix_ns(now_ns(ClockId::Monotonic).cast_unsigned())
    }
}

/// Measures CPU time of this thread. Unlike the time that passes, it does not grow while others have the CPU.
#[derive(Clone, Copy)]
pub(crate) struct CpuTimer(Duration);

impl CpuTimer {
    pub(crate) fn start() -> Self {
        Self(Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default())
    }

    pub(crate) fn elapsed(self) -> Duration {
        Self::start().0.saturating_sub(self.0)
    }
}
