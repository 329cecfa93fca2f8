//! A row of the table: all processes of a name together, or one of them, counted since the screen was reset.

use std::sync::Arc;

use super::rates::Rates;
use crate::group::Counts;
use crate::tracker::{GroupName, GroupRow};

/// Which row: it stays the same from snapshot to snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PartName {
    pub(super) group: Option<Arc<GroupName>>,
    /// None: all of it.
    pub(super) process: Option<Member>,
}

/// One of several that are folded into one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Member {
    Process(u32),
    /// Those that have ended.
    Ended,
}

impl Member {
    pub(super) fn of(row: &GroupRow) -> Self {
        row.pid.map_or(Self::Ended, Self::Process)
    }
}

pub(super) struct Part<'a> {
    /// As of the whole watch.
    pub(super) row: &'a GroupRow,
    /// Since the screen was reset.
    pub(super) counts: Counts,
    pub(super) rates: &'a Rates,
    /// Whether it is one of several that are folded; else how many it has that could be unfolded.
    pub(super) is_member: bool,
    pub(super) members: usize,
}

impl Part<'_> {
    /// A mean; None without an exchange, and where it is not known.
    pub(super) fn exchanges_per_connection(&self) -> Option<f64> {
        let exchanges = self.counts.exchanges();
        let carriers = self.carriers().filter(|carriers| exchanges > 0 && *carriers > 0)?;
        Some(exchanges as f64 / carriers as f64)
    }

    /// Connections that carried the exchanges of `counts`; None where that is not known: one that was open at the reset may
    /// have carried exchanges since, or not.
    fn carriers(&self) -> Option<u64> {
        let Self { row, counts, .. } = self;
        let were_open = (row.counts.open() + counts.closed).saturating_sub(counts.opened + counts.pre_existing) > 0;
        (!were_open).then(|| counts.exchanges_per_connection.iter().sum())
    }

    /// None where it is not known.
    pub(super) fn connects_per_second(&self) -> Option<f64> {
        let process = self.is_member.then(|| Member::of(self.row));
        self.rates.of(&PartName { group: self.row.name.clone(), process }, self.row.counts.opened)
    }
}
