//! Groups as connection pools: how many connections asked something, how many were needed at once, and therefore how
//! many a pool that keeps its connections would have avoided. Numbers of several groups are only added up, because a
//! connection of one process or to one address cannot replace a connection of another.

use std::ops::AddAssign;

use tcp_reuse_watch_ebpf::pool;

use crate::model::GroupCounters;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    asked: u64,
    needed: u64,
    /// Groups with a counted pool, and the others: the overflow group, and every group of an old recording.
    counted: u32,
    uncounted: u32,
    /// Counted groups with connections that may not be interchangeable, or with unseen asks.
    unclear: u32,
}

impl Pool {
    /// Connections that asked something. None, like the numbers below, if no pool is counted.
    pub fn asked(&self) -> Option<u64> {
        self.is_counted().then_some(self.asked)
    }

    /// The highest number of connections that were serving at once.
    pub fn needed(&self) -> Option<u64> {
        self.is_counted().then_some(self.needed)
    }

    pub fn avoidable(&self) -> Option<u64> {
        self.is_counted().then(|| self.asked.saturating_sub(self.needed))
    }

    /// Whether the numbers are exact, provided that no count was lost.
    pub fn is_exact(&self) -> bool {
        self.uncounted == 0 && self.unclear == 0
    }

    /// Whether there may be more, in groups whose pools are not counted.
    pub fn is_lower_bound(&self) -> bool {
        self.uncounted > 0
    }

    fn is_counted(&self) -> bool {
        self.counted > 0 || self.uncounted == 0
    }

    /// The growth since `earlier`.
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
        // Any CPU may have the highest mark.
        (group.most_serving[3], group.most_serving[7]) = (needed, needed / 2);
        Pool::from(&group)
    }

    fn numbers(pool: Pool) -> (Option<u64>, Option<u64>, Option<u64>, bool) {
        (pool.asked(), pool.needed(), pool.avoidable(), pool.is_exact())
    }

    #[test]
    fn avoidable_is_asked_less_needed() {
        assert_eq!(numbers(pool_of(42, 10, pool::COUNTED)), (Some(42), Some(10), Some(32), true));
        assert_eq!(numbers(Pool::default()), (Some(0), Some(0), Some(0), true), "of nothing");
    }

    #[test]
    fn groups_are_only_added_up() {
        let mut processes = Pool::default();
        for _ in 0..100 {
            processes += pool_of(1, 1, pool::COUNTED);
        }
        assert_eq!(numbers(processes), (Some(100), Some(100), Some(0), true));
        processes += pool_of(10, 1, pool::COUNTED);
        assert_eq!(processes.avoidable(), Some(9));
    }

    #[test]
    fn uncounted_pool_is_unknown_and_marks_the_sum() {
        let uncounted = pool_of(7, 1, 0);
        assert_eq!(numbers(uncounted), (None, None, None, false));
        let mut both = uncounted;
        both += pool_of(10, 1, pool::COUNTED);
        assert_eq!(numbers(both), (Some(10), Some(1), Some(9), false));
    }

    #[test]
    fn possibly_different_connections_are_marked() {
        for bits in [pool::MIXED, pool::UNHEARD] {
            assert!(!pool_of(10, 1, pool::COUNTED | bits).is_exact());
        }
    }

    #[test]
    fn only_growth_counts_after_a_reset() {
        let before = pool_of(10, 1, pool::COUNTED);
        assert_eq!(numbers(pool_of(15, 3, pool::COUNTED).since(&before)), (Some(5), Some(2), Some(3), true));
    }
}
