//! The clock. The kernel side uses `CLOCK_MONOTONIC`, the outputs use UTC.

use std::time::Duration;

use observer_core::TimeBase;
use rustix::time::{ClockId, clock_gettime};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) base: TimeBase,
}

fn now_ns(clock: ClockId) -> i64 {
    let now = clock_gettime(clock);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { base: TimeBase::new(now_ns(ClockId::Realtime) - now_ns(ClockId::Monotonic)) }
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
