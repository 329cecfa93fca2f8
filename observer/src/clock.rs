//! Two clocks: the kernel side tells time by `CLOCK_MONOTONIC`, people and JSON by UTC.

use rustix::time::{ClockId, clock_gettime};

/// The step from one to the other, taken once so that the distance between two times stays true.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    unix_minus_monotonic_ns: i64,
}

fn now_ns(clock: ClockId) -> i64 {
    let now = clock_gettime(clock);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { unix_minus_monotonic_ns: now_ns(ClockId::Realtime) - now_ns(ClockId::Monotonic) }
    }

    /// Nanoseconds since 1970 (UTC) of a time of the kernel side.
    pub(crate) fn unix_ns(self, monotonic_ns: u64) -> i64 {
        monotonic_ns.cast_signed() + self.unix_minus_monotonic_ns
    }

    pub(crate) fn now_unix_ns(self) -> i64 {
        now_ns(ClockId::Monotonic) + self.unix_minus_monotonic_ns
    }
}
