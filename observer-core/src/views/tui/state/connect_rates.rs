//! Connections opened per second by each group, over the last few seconds.

use std::{collections::VecDeque, sync::Arc};

use foldhash::{HashMap, HashMapExt as _};

use super::row_id::{Member, RowId};
use crate::tracker::{GroupName, GroupRow};

/// The number of checkpoints kept, at least a second apart. Rates cover one second less.
const CHECKPOINTS: usize = 6;

/// Connections opened up to a checkpoint.
#[derive(Debug, Default)]
struct Opened {
    /// By name, over all processes; with the process id if there is only one.
    names: HashMap<Option<Arc<GroupName>>, (u64, Option<u32>)>,
    /// By process, for names with several.
    members: HashMap<RowId, u64>,
}

impl Opened {
    fn of(groups: &[GroupRow]) -> Self {
        let mut opened = Self { names: HashMap::with_capacity(groups.len()), members: HashMap::new() };
        for row in groups {
            let (all, only) = opened.names.entry(row.name.clone()).or_insert((0, row.pid));
            *all += row.counts.opened;
            *only = only.filter(|only| Some(*only) == row.pid);
        }
        for row in groups.iter().filter(|row| row.pid.is_some()) {
            if opened.names.get(&row.name).is_some_and(|(_, only)| only.is_none()) {
                let name = RowId { group: row.name.clone(), member: Some(Member::of(row)) };
                opened.members.insert(name, row.counts.opened);
            }
        }
        opened
    }

    /// None if the row may have been part of the overflow row.
    fn by(&self, row: &RowId) -> Option<u64> {
        let Some((all, only)) = self.names.get(&row.group) else {
            return (!self.names.contains_key(&None)).then_some(0);
        };
        Some(match row.member {
            None => *all,
            Some(Member::Process(pid)) if *only == Some(pid) => *all,
            Some(_) => self.members.get(row).copied().unwrap_or(0),
        })
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ConnectRates {
    /// Each with its time since the start of the watch, the oldest first.
    checkpoints: VecDeque<(u64, Arc<Opened>)>,
    /// The rates shown cover the time from this checkpoint...
    from: (u64, Arc<Opened>),
    /// ...to this time.
    until_us: u64,
}

impl Default for ConnectRates {
    /// The start of the watch: nothing was opened yet.
    fn default() -> Self {
        let start = (0, Arc::default());
        Self { checkpoints: VecDeque::from([start.clone()]), from: start, until_us: 0 }
    }
}

impl ConnectRates {
    /// Keeps a checkpoint, unless the last one is less than a second old.
    pub(crate) fn record(&mut self, now_us: u64, groups: &[GroupRow]) {
        if self.checkpoints.back().is_some_and(|(last_us, _)| now_us < last_us + 1_000_000) {
            return;
        }
        self.checkpoints.push_back((now_us, Arc::new(Opened::of(groups))));
        if self.checkpoints.len() > CHECKPOINTS {
            self.checkpoints.pop_front();
        }
    }

    /// Moves the rates shown to this time.
    pub(crate) fn advance_to(&mut self, now_us: u64) {
        if let Some(oldest) = self.checkpoints.front() {
            self.from = oldest.clone();
        }
        self.until_us = now_us;
    }

    /// None before time has passed, and for the rows of ended processes and of the overflow: groups move into and out of
    /// these with all connections that they ever opened.
    pub(crate) fn per_second(&self, row: &RowId, opened_now: u64) -> Option<f64> {
        if row.group.is_none() || row.member == Some(Member::Ended) {
            return None;
        }
        let (from_us, opened) = &self.from;
        let before = opened.by(row)?;
        let seconds = self.until_us.checked_sub(*from_us).filter(|us| *us > 0)? as f64 / 1e6;
        Some(opened_now.saturating_sub(before) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::tui::fixture;

    fn groups(opened: u64) -> Vec<GroupRow> {
        fixture::families(opened).into_iter().map(|family| family.whole).collect()
    }

    #[test]
    fn rates_cover_the_last_seconds() {
        let name = RowId { group: groups(10)[0].name.clone(), member: None };
        let mut rates = ConnectRates::default();
        for second in 0..=20u64 {
            rates.record(second * 1_000_000, &groups(10 * second));
        }
        rates.advance_to(20_000_000);
        assert_eq!(rates.per_second(&name, 200), Some(10.0));
        let other = groups(10)[0].name.as_deref().map(|name| Arc::new(GroupName { port: 1, ..name.clone() }));
        let unknown = RowId { group: other, member: None };
        assert_eq!(rates.per_second(&unknown, 10), Some(2.0));
        assert_eq!(ConnectRates::default().per_second(&name, 10), None);
        // Checkpoints alone do not change the rates shown.
        for second in 21..=40u64 {
            rates.record(second * 1_000_000, &groups(10_000 * second));
        }
        assert_eq!(rates.per_second(&name, 200), Some(10.0));
    }

    #[test]
    fn rows_that_groups_move_into_have_no_rate() {
        let mut rates = ConnectRates::default();
        let row = groups(10).remove(0);
        let mut others = row.clone();
        (others.name, others.pid) = (None, None);
        rates.record(0, &[]);
        rates.advance_to(1_000_000);
        let id = |member| RowId { group: row.name.clone(), member };
        assert_eq!(rates.per_second(&id(Some(Member::Process(1))), 10), Some(10.0));
        assert_eq!(rates.per_second(&id(Some(Member::Ended)), 10), None);
        assert_eq!(rates.per_second(&RowId { group: None, member: None }, 10), None);
        // One process, joined by a second one.
        let mut second = row.clone();
        (second.pid, second.counts.opened) = (Some(2), 3);
        let mut rates = ConnectRates { checkpoints: VecDeque::new(), ..ConnectRates::default() };
        rates.record(0, std::slice::from_ref(&row));
        rates.record(1_000_000, &[row.clone(), second]);
        rates.advance_to(1_000_000);
        let of = |rates: &ConnectRates, pid, opened| rates.per_second(&id(Some(Member::Process(pid))), opened);
        assert_eq!((of(&rates, 1, 12), of(&rates, 2, 5)), (Some(2.0), Some(5.0)));
        rates.checkpoints.pop_front();
        rates.advance_to(2_000_000);
        assert_eq!((of(&rates, 1, 12), of(&rates, 2, 5)), (Some(2.0), Some(2.0)));
        let mut rates = ConnectRates { checkpoints: VecDeque::new(), ..ConnectRates::default() };
        rates.record(0, &[others]);
        rates.advance_to(1_000_000);
        assert_eq!(rates.per_second(&id(None), 10), None, "the group may have been part of the overflow row");
    }
}
