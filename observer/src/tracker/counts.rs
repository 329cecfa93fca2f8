//! Counters of a group, of groups together, or of everything.

use std::ops::AddAssign;

use super::Pool;
use crate::event::{GroupCounters, Why};

/// What was counted. What follows from these is a method, so that nothing can disagree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) opened: u64,
    pub(crate) pre_existing: u64,
    pub(crate) closed: u64,
    pub(crate) unused: u64,
    pub(crate) new: u64,
    pub(crate) reused: u64,
    /// Exchanges on connections that cannot be counted exactly, and those connections, also those without an exchange.
    pub(crate) inexact: u64,
    pub(crate) marked: u64,
    pub(crate) pool: Pool,
    /// By [`crate::event::Failure`].
    pub(crate) failures: [u64; tcp_reuse_watch_ebpf::FAILURES],
    /// By [`tcp_reuse_watch_ebpf::HISTOGRAM_STARTS`].
    pub(crate) exchanges_per_connection: [u64; tcp_reuse_watch_ebpf::HISTOGRAM],
    /// Opened ones by [`Why`].
    pub(crate) why: [u64; tcp_reuse_watch_ebpf::WHYS],
    /// Closed ones by [`crate::event::Cause`].
    pub(crate) closes: [u64; tcp_reuse_watch_ebpf::CAUSES],
    /// Closed ones by [`tcp_reuse_watch_ebpf::LIFETIME_BOUNDS_US`]; pre-existing ones, whose lifetime is not known, left out.
    pub(crate) lifetimes: [u64; tcp_reuse_watch_ebpf::LIFETIMES],
}

impl Counts {
    pub(crate) fn open(&self) -> u64 {
        // A sample is not taken at one instant: a close may be in it whose open is not.
        (self.opened + self.pre_existing).saturating_sub(self.closed)
    }

    /// Connections that were opened while an idle one was there.
    pub(crate) fn missed(&self) -> u64 {
        self.why[Why::MissedReuse as usize]
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failures.iter().sum()
    }

    pub(crate) fn exchanges(&self) -> u64 {
        self.new + self.reused
    }

    /// From 0 to 1; None without an exchange.
    pub(crate) fn reuse_ratio(&self) -> Option<f64> {
        let exchanges = self.exchanges();
        (exchanges > 0).then(|| self.reused as f64 / exchanges as f64)
    }

    /// Whether every exchange is on a connection that can be counted exactly, and none may have been overlooked on another.
    pub(crate) fn is_exact(&self) -> bool {
        self.inexact == 0 && self.marked == 0
    }

    /// What was counted since these were. Buckets and open connections go down as well, so what they hold is as many more
    /// as there are now, or nothing.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
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
            failures: less(self.failures, earlier.failures),
            exchanges_per_connection: less(self.exchanges_per_connection, earlier.exchanges_per_connection),
            why: less(self.why, earlier.why),
            closes: less(self.closes, earlier.closes),
            lifetimes: less(self.lifetimes, earlier.lifetimes),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
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

fn less<const N: usize>(sums: [u64; N], others: [u64; N]) -> [u64; N] {
    std::array::from_fn(|index| sums[index].saturating_sub(others[index]))
}

fn add<const N: usize>(sums: &mut [u64; N], others: [u64; N]) {
    for (sum, n) in sums.iter_mut().zip(others) {
        *sum += n;
    }
}
