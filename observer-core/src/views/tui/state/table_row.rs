//! A row of the table: all processes of a name together, or one of them. Counted since the last reset of the screen.

use super::{
    connect_rates::ConnectRates,
    row_id::{Member, RowId},
};
use crate::{group::Counts, tracker::GroupRow};

pub(crate) struct TableRow<'a> {
    /// Counts and diagnoses of the whole watch.
    pub(crate) group: &'a GroupRow,
    /// Counts since the last reset.
    pub(crate) counts: Counts,
    pub(crate) rates: &'a ConnectRates,
    /// Whether the row is one of several below an unfolded name.
    pub(crate) is_member: bool,
    /// The number of rows that it unfolds into.
    pub(crate) members: usize,
}

impl TableRow<'_> {
    /// The mean. None without exchanges, and where the number of connections is unknown.
    pub(crate) fn exchanges_per_connection(&self) -> Option<f64> {
        let exchanges = self.counts.exchanges();
        let carriers = self.carriers().filter(|carriers| exchanges > 0 && *carriers > 0)?;
        Some(exchanges as f64 / carriers as f64)
    }

    /// The number of connections that carried the exchanges of `counts`. None if a connection was open at the reset, which
    /// may or may not have carried exchanges since.
    fn carriers(&self) -> Option<u64> {
        let Self { group, counts, .. } = self;
        let were_open = (group.counts.open() + counts.closed).saturating_sub(counts.opened + counts.pre_existing) > 0;
        (!were_open).then(|| counts.exchanges_per_connection.iter().sum())
    }

    /// None where the rate is unknown.
    pub(crate) fn connects_per_second(&self) -> Option<f64> {
        let member = self.is_member.then(|| Member::of(self.group));
        self.rates.per_second(&RowId { group: self.group.name.clone(), member }, self.group.counts.opened)
    }
}
