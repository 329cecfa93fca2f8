//! What is counted for a label set: only what grows.

use tcp_reuse_watch_ebpf::pool;

use crate::event::GroupCounters;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) opened: u64,
    pub(crate) new: u64,
    pub(crate) reused: u64,
    pub(crate) inexact: u64,
    /// Connections that have asked something, and those of them that a pool which keeps what it has would have saved.
    pub(crate) asked: u64,
    pub(crate) avoidable: u64,
    /// Those of groups of which that is not known exactly.
    pub(crate) inexact_avoidable: u64,
    /// Opened ones by [`crate::event::Why`].
    pub(crate) why: [u64; tcp_reuse_watch_ebpf::WHYS],
    /// Closed ones by [`crate::event::Cause`].
    pub(crate) closes: [u64; tcp_reuse_watch_ebpf::CAUSES],
    /// By [`crate::event::Failure`].
    pub(crate) failures: [u64; tcp_reuse_watch_ebpf::FAILURES],
    /// Connections that are over, by [`tcp_reuse_watch_ebpf::HISTOGRAM_STARTS`], and their exchanges.
    pub(crate) closed_exchanges: [u64; tcp_reuse_watch_ebpf::HISTOGRAM],
    pub(crate) closed_exchanges_sum: u64,
    /// Closed ones by [`tcp_reuse_watch_ebpf::LIFETIME_BOUNDS_US`], and their lifetimes.
    pub(crate) lifetimes: [u64; tcp_reuse_watch_ebpf::LIFETIMES],
    pub(crate) lifetime_us_sum: u64,
}

impl Tally {
    /// What a group's counters say for good.
    pub(super) fn settled(group: &GroupCounters) -> Self {
        let unsettled = unsettled(group);
        let asked = if group.pool & pool::COUNTED == 0 { 0 } else { group.asked };
        // A group is read while it counts: the kernel raises what was needed before it counts what asked, and here it is read
        // after that. So this is never too much, and catches up.
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

    /// Takes in counters that may have grown, and gives by how much. What seems to have shrunk has to catch up first.
    pub(super) fn grow_to(&mut self, now: &Self) -> Self {
        let mut growth = Self::default();
        growth.each(now, |growth, now| *growth = now);
        growth.each(self, |growth, before| *growth = growth.saturating_sub(before));
        self.each(&growth, |n, growth| *n += growth);
        growth
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.each(other, |n, other| *n += other);
    }

    fn each(&mut self, other: &Self, mut change: impl FnMut(&mut u64, u64)) {
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
            for (n, other) in counts.iter_mut().zip(others) {
                change(n, *other);
            }
        };
        all(&mut self.why, &other.why);
        all(&mut self.closes, &other.closes);
        all(&mut self.failures, &other.failures);
        all(&mut self.closed_exchanges, &other.closed_exchanges);
        all(&mut self.lifetimes, &other.lifetimes);
    }
}

/// How many closed connections may yet turn out to have ended by something else, at most: what is read after the end
/// decides, until the program lets go of the socket. Such a one is tracked, but neither open nor live.
fn unsettled(group: &GroupCounters) -> u64 {
    group.tracked.saturating_sub(open(group).max(group.live))
}

/// Connections of a group that are open. A sample is not taken at one instant: a close may be in it whose open is not.
pub(super) fn open(group: &GroupCounters) -> u64 {
    (group.opened + group.pre_existing).saturating_sub(group.closed)
}
