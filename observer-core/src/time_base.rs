//! Converts `CLOCK_MONOTONIC`, which the kernel side uses, to UTC, which JSON and people use.

/// The offset between the two clocks. It is measured once, because a second measurement would change the interval
/// between two converted times.
#[derive(Clone, Copy, Debug)]
pub struct TimeBase {
    unix_minus_monotonic_ns: i64,
}

impl TimeBase {
    #[must_use]
    pub const fn new(unix_minus_monotonic_ns: i64) -> Self {
        Self { unix_minus_monotonic_ns }
    }

    /// Converts a kernel-side time to nanoseconds since 1970 (UTC).
    pub const fn unix_ns(self, monotonic_ns: u64) -> i64 {
        monotonic_ns.cast_signed() + self.unix_minus_monotonic_ns
    }
}
