//! Counters of one group, of several, or of all.

use std::ops::AddAssign;

use super::Pool;
use crate::model::{GroupCounters, Why};

/// Derived numbers are methods, so they cannot disagree with the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub opened: u64,
    pub pre_existing: u64,
    pub closed: u64,
    pub unused: u64,
    pub new: u64,
    pub reused: u64,
    /// Exchanges on connections that cannot be counted exactly, and the number of these connections, including those
    /// without an exchange.
    pub inexact: u64,
    pub marked: u64,
    pub pool: Pool,
    /// By [`crate::model::Failure`].
    pub failures: [u64; tcp_reuse_watch_ebpf::FAILURES],
    /// By [`tcp_reuse_watch_ebpf::HISTOGRAM_STARTS`].
    pub exchanges_per_connection: [u64; tcp_reuse_watch_ebpf::HISTOGRAM],
    /// Opened connections by [`Why`].
    pub why: [u64; tcp_reuse_watch_ebpf::WHYS],
    /// Closed connections by [`crate::model::Cause`].
    pub closes: [u64; tcp_reuse_watch_ebpf::CAUSES],
    /// Closed connections by [`tcp_reuse_watch_ebpf::LIFETIME_BOUNDS_US`], without pre-existing ones, because their
    /// lifetime is unknown.
    pub lifetimes: [u64; tcp_reuse_watch_ebpf::LIFETIMES],
}

impl Counts {
    pub fn open(&self) -> u64 {
        // Sampling takes time, so a sample may have a close whose open it lacks.
        (self.opened + self.pre_existing).saturating_sub(self.closed)
    }

    /// Connections opened while an idle one was available.
    pub fn missed(&self) -> u64 {
        self.why[Why::MissedReuse as usize]
    }

    pub fn failed(&self) -> u64 {
        self.failures.iter().sum()
    }

    pub fn exchanges(&self) -> u64 {
        self.new + self.reused
    }

    /// From 0 to 1. None without an exchange.
    pub fn reuse_ratio(&self) -> Option<f64> {
        let exchanges = self.exchanges();
        (exchanges > 0).then(|| self.reused as f64 / exchanges as f64)
    }

    /// Whether every connection can be counted exactly.
    pub fn is_exact(&self) -> bool {
        self.inexact == 0 && self.marked == 0
    }

    /// The growth since `earlier`. Buckets and gauges may also shrink, which counts as no growth.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            opened: self.opened.saturating_sub(earlier.opened),
            pre_existing: self.pre_existing.saturating_sub(earlier.pre_existing),
            closed: self.closed.saturating_sub(earlier.closed),
            unused: self.unused.saturating_sub(earlier.unused),
            new: self.new.saturating_sub(earlier.new),
            reused: self.reused.saturating_sub(earlier.reused),
            inexact: self.inexact.saturating_sub(earlier.inexact),
            marked: self.marked.saturating_sub(earlier.marked),
            pool: self.pool.since(&earlier.pool),
            failures: subtract(self.failures, earlier.failures),
            exchanges_per_connection: subtract(self.exchanges_per_connection, earlier.exchanges_per_connection),
            why: subtract(self.why, earlier.why),
            closes: subtract(self.closes, earlier.closes),
            lifetimes: subtract(self.lifetimes, earlier.lifetimes),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.opened == 0 && self.pre_existing == 0 && self.failed() == 0
    }
}

impl From<&GroupCounters> for Counts {
    fn from(group: &GroupCounters) -> Self {
        Self {
            opened: group.opened,
            pre_existing: group.pre_existing,
            closed: group.closed,
            unused: group.unused,
            new: group.new,
            reused: group.reused,
            inexact: group.inexact,
            marked: group.marked,
            pool: Pool::from(group),
            failures: group.failures,
            exchanges_per_connection: group.exchanges_per_connection,
            why: group.why,
            closes: group.closes,
            lifetimes: group.lifetimes,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.opened += other.opened;
        self.pre_existing += other.pre_existing;
        self.closed += other.closed;
        self.unused += other.unused;
        self.new += other.new;
        self.reused += other.reused;
        self.inexact += other.inexact;
        self.marked += other.marked;
        self.pool += other.pool;
        add(&mut self.failures, other.failures);
        add(&mut self.exchanges_per_connection, other.exchanges_per_connection);
        add(&mut self.why, other.why);
        add(&mut self.closes, other.closes);
        add(&mut self.lifetimes, other.lifetimes);
    }
}

fn subtract<const N: usize>(sums: [u64; N], others: [u64; N]) -> [u64; N] {
    std::array::from_fn(|index| sums[index].saturating_sub(others[index]))
}

fn add<const N: usize>(sums: &mut [u64; N], others: [u64; N]) {
    for (sum, n) in sums.iter_mut().zip(others) {
        *sum += n;
    }
}
