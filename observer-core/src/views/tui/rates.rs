//! How many connections a group opens each second, over the last few seconds.

use std::{collections::VecDeque, sync::Arc};

use foldhash::{HashMap, HashMapExt as _};

use super::part::{Member, PartName};
use crate::tracker::{GroupName, GroupRow};

/// Looks that are kept, a second apart or more: rates are over as many seconds, less one.
const LOOKS: usize = 6;

/// How many connections had been opened by then.
#[derive(Debug, Default)]
struct Opened {
    /// Of all processes of a name, and which it is if it is but one.
    names: HashMap<Option<Arc<GroupName>>, (u64, Option<u32>)>,
    /// Of each of several.
    members: HashMap<PartName, u64>,
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
                let name = PartName { group: row.name.clone(), process: Some(Member::of(row)) };
                opened.members.insert(name, row.counts.opened);
            }
        }
        opened
    }

    /// None: it may have been among the others.
    fn before(&self, part: &PartName) -> Option<u64> {
        let Some((all, only)) = self.names.get(&part.group) else {
            return (!self.names.contains_key(&None)).then_some(0);
        };
        Some(match part.process {
            None => *all,
            Some(Member::Process(pid)) if *only == Some(pid) => *all,
            Some(_) => self.members.get(part).copied().unwrap_or(0),
        })
    }
}

#[derive(Clone, Debug)]
pub(super) struct Rates {
    /// When, since the begin of the watch; the oldest first.
    looks: VecDeque<(u64, Arc<Opened>)>,
    /// The look from which on rates are told, and until when.
    from: (u64, Arc<Opened>),
    until_us: u64,
}

impl Default for Rates {
    /// The begin: nothing was opened.
    fn default() -> Self {
        let begin = (0, Arc::default());
        Self { looks: VecDeque::from([begin.clone()]), from: begin, until_us: 0 }
    }
}

impl Rates {
    pub(super) fn look(&mut self, now_us: u64, groups: &[GroupRow]) {
        if self.looks.back().is_some_and(|(last_us, _)| now_us < last_us + 1_000_000) {
            return;
        }
        self.looks.push_back((now_us, Arc::new(Opened::of(groups))));
        if self.looks.len() > LOOKS {
            self.looks.pop_front();
        }
    }

    /// From now on rates are those of this moment.
    pub(super) fn tell_of(&mut self, now_us: u64) {
        if let Some(oldest) = self.looks.front() {
            self.from = oldest.clone();
        }
        self.until_us = now_us;
    }

    /// Connections per second; None at the very begin, and of what others move into and out of with all that they have
    /// opened: processes that have ended, and groups that have no row of their own.
    pub(super) fn of(&self, part: &PartName, opened_now: u64) -> Option<f64> {
        if part.group.is_none() || part.process == Some(Member::Ended) {
            return None;
        }
        let (from_us, opened) = &self.from;
        let before = opened.before(part)?;
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
    fn rates_are_over_the_last_seconds() {
        let name = PartName { group: groups(10)[0].name.clone(), process: None };
        let mut rates = Rates::default();
        for second in 0..=20u64 {
            rates.look(second * 1_000_000, &groups(10 * second));
        }
        rates.tell_of(20_000_000);
        assert_eq!(rates.of(&name, 200), Some(10.0));
        let other = groups(10)[0].name.as_deref().map(|name| Arc::new(GroupName { port: 1, ..name.clone() }));
        let unknown = PartName { group: other, process: None };
        assert_eq!(rates.of(&unknown, 10), Some(2.0));
        assert_eq!(Rates::default().of(&name, 10), None);
        // What is looked at meanwhile does not change what is told.
        for second in 21..=40u64 {
            rates.look(second * 1_000_000, &groups(10_000 * second));
        }
        assert_eq!(rates.of(&name, 200), Some(10.0));
    }

    #[test]
    fn what_others_move_into_has_no_rate() {
        let mut rates = Rates::default();
        let row = groups(10).remove(0);
        let mut others = row.clone();
        (others.name, others.pid) = (None, None);
        rates.look(0, &[]);
        rates.tell_of(1_000_000);
        let part = |process| PartName { group: row.name.clone(), process };
        assert_eq!(rates.of(&part(Some(Member::Process(1))), 10), Some(10.0));
        assert_eq!(rates.of(&part(Some(Member::Ended)), 10), None);
        assert_eq!(rates.of(&PartName { group: None, process: None }, 10), None);
        // One process alone, and then with another one.
        let mut second = row.clone();
        (second.pid, second.counts.opened) = (Some(2), 3);
        let mut rates = Rates { looks: VecDeque::new(), ..Rates::default() };
        rates.look(0, std::slice::from_ref(&row));
        rates.look(1_000_000, &[row.clone(), second]);
        rates.tell_of(1_000_000);
        let of = |rates: &Rates, pid, opened| rates.of(&part(Some(Member::Process(pid))), opened);
        assert_eq!((of(&rates, 1, 12), of(&rates, 2, 5)), (Some(2.0), Some(5.0)));
        rates.looks.pop_front();
        rates.tell_of(2_000_000);
        assert_eq!((of(&rates, 1, 12), of(&rates, 2, 5)), (Some(2.0), Some(2.0)));
        let mut rates = Rates { looks: VecDeque::new(), ..Rates::default() };
        rates.look(0, &[others]);
        rates.tell_of(1_000_000);
        assert_eq!(rates.of(&part(None), 10), None, "it may have been among the others");
    }
}
