//! The kernel side tells time by `CLOCK_MONOTONIC`, people and JSON by UTC.

/// The step from one to the other, taken once so that the distance between two times stays true.
#[derive(Clone, Copy, Debug)]
pub struct TimeBase {
    unix_minus_monotonic_ns: i64,
}

impl TimeBase {
    #[must_use]
    pub const fn new(unix_minus_monotonic_ns: i64) -> Self {
        Self { unix_minus_monotonic_ns }
    }

    /// Nanoseconds since 1970 (UTC) of a time of the kernel side.
    pub const fn unix_ns(self, monotonic_ns: u64) -> i64 {
        monotonic_ns.cast_signed() + self.unix_minus_monotonic_ns
    }
}
