//! The counters of a label set. They never decrease.

use tcp_reuse_watch_ebpf::pool;

use crate::model::GroupCounters;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub opened: u64,
    pub new: u64,
    pub reused: u64,
    pub inexact: u64,
    /// Connections that have asked something.
    pub asked: u64,
    /// The part of `asked` that a pool that keeps its connections open would have saved.
    pub avoidable: u64,
    /// Avoidable connections of groups for which their number is not exact.
    pub inexact_avoidable: u64,
    /// Opened connections by [`crate::model::Why`].
    pub why: [u64; tcp_reuse_watch_ebpf::WHYS],
    /// Closed connections by [`crate::model::Cause`].
    pub closes: [u64; tcp_reuse_watch_ebpf::CAUSES],
    /// Failed connects by [`crate::model::Failure`].
    pub failures: [u64; tcp_reuse_watch_ebpf::FAILURES],
    /// Closed connections by their number of exchanges, in the buckets of [`tcp_reuse_watch_ebpf::HISTOGRAM_STARTS`].
    pub closed_exchanges: [u64; tcp_reuse_watch_ebpf::HISTOGRAM],
    /// Sum of the exchanges of closed connections.
    pub closed_exchanges_sum: u64,
    /// Closed connections by lifetime, in the buckets of [`tcp_reuse_watch_ebpf::LIFETIME_BOUNDS_US`].
    pub lifetimes: [u64; tcp_reuse_watch_ebpf::LIFETIMES],
    /// Sum of the lifetimes of closed connections.
    pub lifetime_us_sum: u64,
}

impl Counters {
    /// The part of a group's counters that will not decrease any more.
    pub(super) fn settled(group: &GroupCounters) -> Self {
        let unsettled = unsettled(group);
        let asked = if group.pool & pool::COUNTED == 0 { 0 } else { group.asked };
        // The kernel goes on counting while a sample is read. It raises `needed` before `asked`, and the sample reads
        // `asked` before `needed`, so this difference is never too high. The next sample catches up.
        let avoidable = asked.saturating_sub(group.needed());
        let is_exact = group.pool & pool::UNCLEAR == 0;
        Self {
            opened: group.opened,
            new: group.new,
            reused: group.reused,
            inexact: group.inexact,
            asked,
            avoidable,
            inexact_avoidable: if is_exact { 0 } else { avoidable },
            why: group.why,
            closes: group.closes.map(|n| n.saturating_sub(unsettled)),
            failures: group.failures,
            closed_exchanges: group.closed_exchanges,
            closed_exchanges_sum: group.closed_exchanges_sum,
            lifetimes: group.lifetimes,
            lifetime_us_sum: group.lifetime_us_sum,
        }
    }

    /// Raises each counter to its current value, and returns the increases. A counter that has decreased stays as it is
    /// until its current value exceeds it.
    pub(super) fn increase_to(&mut self, now: &Self) -> Self {
        let mut increase = *now;
        increase.zip_with(self, |increase, before| *increase = increase.saturating_sub(before));
        self.add(&increase);
        increase
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.zip_with(other, |count, other| *count += other);
    }

    /// Changes each counter with the value of the same counter in `other`.
    fn zip_with(&mut self, other: &Self, mut change: impl FnMut(&mut u64, u64)) {
        change(&mut self.opened, other.opened);
        change(&mut self.new, other.new);
        change(&mut self.reused, other.reused);
        change(&mut self.inexact, other.inexact);
        change(&mut self.asked, other.asked);
        change(&mut self.avoidable, other.avoidable);
        change(&mut self.inexact_avoidable, other.inexact_avoidable);
        change(&mut self.closed_exchanges_sum, other.closed_exchanges_sum);
        change(&mut self.lifetime_us_sum, other.lifetime_us_sum);
        let mut all = |counts: &mut [u64], others: &[u64]| {
            for (count, other) in counts.iter_mut().zip(others) {
                change(count, *other);
            }
        };
        all(&mut self.why, &other.why);
        all(&mut self.closes, &other.closes);
        all(&mut self.failures, &other.failures);
        all(&mut self.closed_exchanges, &other.closed_exchanges);
        all(&mut self.lifetimes, &other.lifetimes);
    }
}

/// Upper bound of closed connections with a cause that may still change: data that the program reads after the close
/// changes it, until the program releases the socket. Until then the connection is tracked but neither open nor live.
fn unsettled(group: &GroupCounters) -> u64 {
    group.tracked.saturating_sub(open_connections(group).max(group.live))
}

/// Open connections of a group. The subtraction saturates, because a sample is not atomic: it may include the close of
/// a connection but not its open.
pub(super) fn open_connections(group: &GroupCounters) -> u64 {
    (group.opened + group.pre_existing).saturating_sub(group.closed)
}
