//! Groups as pools: how many of their connections have asked something, how many were needed at once, and so how many a
//! pool that keeps what it has would have saved. Sums over groups are sums: a connection of one process, or to one
//! address, cannot stand in for that of another.

use std::ops::AddAssign;

use tcp_reuse_watch_ebpf::{GroupCounters, pool};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pool {
    asked: u64,
    needed: u64,
    /// Groups whose connections are counted as a pool, and the others: what had no room, and all of an old recording.
    counted: u32,
    uncounted: u32,
    /// Those of the counted ones of which it is not known that one connection can stand in for another, or when it asked.
    unclear: u32,
}

impl Pool {
    /// Connections that have asked something. None, like the numbers below, where it was not counted.
    pub(crate) fn asked(&self) -> Option<u64> {
        self.is_counted().then_some(self.asked)
    }

    /// The most of them that could serve at a time.
    pub(crate) fn needed(&self) -> Option<u64> {
        self.is_counted().then_some(self.needed)
    }

    pub(crate) fn avoidable(&self) -> Option<u64> {
        self.is_counted().then(|| self.asked.saturating_sub(self.needed))
    }

    /// Whether these are exact, as long as nothing was lost.
    pub(crate) fn is_exact(&self) -> bool {
        self.uncounted == 0 && self.unclear == 0
    }

    fn is_counted(&self) -> bool {
        self.counted > 0 || self.uncounted == 0
    }

    /// What has come since then.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        Self {
            asked: self.asked.saturating_sub(earlier.asked),
            needed: self.needed.saturating_sub(earlier.needed),
            ..*self
        }
    }
}

impl From<&GroupCounters> for Pool {
    fn from(group: &GroupCounters) -> Self {
        if group.pool & pool::COUNTED == 0 {
            return Self { uncounted: 1, ..Self::default() };
        }
        Self {
            asked: group.asked,
            needed: group.needed(),
            counted: 1,
            unclear: u32::from(group.pool & pool::UNCLEAR != 0),
            uncounted: 0,
        }
    }
}

impl AddAssign for Pool {
    fn add_assign(&mut self, other: Self) {
        self.asked += other.asked;
        self.needed += other.needed;
        self.counted += other.counted;
        self.uncounted += other.uncounted;
        self.unclear += other.unclear;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool_of(asked: u64, needed: u32, bits: u64) -> Pool {
        let mut group = GroupCounters { asked, pool: bits, ..GroupCounters::default() };
        // Any processor may have seen the most.
        (group.most_serving[3], group.most_serving[7]) = (needed, needed / 2);
        Pool::from(&group)
    }

    fn numbers(pool: Pool) -> (Option<u64>, Option<u64>, Option<u64>, bool) {
        (pool.asked(), pool.needed(), pool.avoidable(), pool.is_exact())
    }

    #[test]
    fn what_a_pool_that_keeps_what_it_has_would_have_saved() {
        assert_eq!(numbers(pool_of(42, 10, pool::COUNTED)), (Some(42), Some(10), Some(32), true));
        assert_eq!(numbers(Pool::default()), (Some(0), Some(0), Some(0), true), "of nothing");
    }

    #[test]
    fn sums_are_never_recomputed() {
        let mut processes = Pool::default();
        for _ in 0..100 {
            processes += pool_of(1, 1, pool::COUNTED);
        }
        assert_eq!(numbers(processes), (Some(100), Some(100), Some(0), true));
        processes += pool_of(10, 1, pool::COUNTED);
        assert_eq!(processes.avoidable(), Some(9));
    }

    #[test]
    fn what_is_not_counted_is_not_known_and_marks_what_is() {
        let uncounted = pool_of(7, 1, 0);
        assert_eq!(numbers(uncounted), (None, None, None, false));
        let mut both = uncounted;
        both += pool_of(10, 1, pool::COUNTED);
        assert_eq!(numbers(both), (Some(10), Some(1), Some(9), false));
    }

    #[test]
    fn connections_that_cannot_stand_in_for_each_other_are_marked() {
        for bits in [pool::MIXED, pool::UNHEARD] {
            assert!(!pool_of(10, 1, pool::COUNTED | bits).is_exact());
        }
    }

    #[test]
    fn since_a_reset_only_what_came_then_counts() {
        let before = pool_of(10, 1, pool::COUNTED);
        assert_eq!(numbers(pool_of(15, 3, pool::COUNTED).since(&before)), (Some(5), Some(2), Some(3), true));
    }
}
