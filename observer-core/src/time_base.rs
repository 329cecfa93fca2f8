//! Converts `CLOCK_MONOTONIC`, which the kernel side uses, to UTC, which JSON and people use.

/// Upper bound of times (the year 2116), which keeps differences from overflowing. The lower bound is 1970.
pub(crate) const MAX_UNIX_NS: i64 = i64::MAX / 2;

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

    /// Converts a kernel-side time to nanoseconds since 1970 (UTC). A time that no clock shows becomes the nearest bound.
    pub fn unix_ns(self, monotonic_ns: u64) -> i64 {
        let monotonic_ns = i64::try_from(monotonic_ns).unwrap_or(i64::MAX);
        monotonic_ns.saturating_add(self.unix_minus_monotonic_ns).clamp(0, MAX_UNIX_NS)
    }
}
