//! How many connections a group opens each second, over the last few seconds.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::part::{Member, PartName};
use crate::tracker::GroupRow;

/// Looks that are kept, a second apart or more: rates are over as many seconds, less one.
const LOOKS: usize = 6;

/// How many connections had been opened by then, of each name and of each process.
type Opened = Arc<HashMap<PartName, u64>>;

#[derive(Clone, Debug)]
pub(super) struct Rates {
    /// When, since the begin of the watch; the oldest first.
    looks: VecDeque<(u64, Opened)>,
    /// The look from which on rates are told, and until when.
    from: (u64, Opened),
    until_us: u64,
}

impl Default for Rates {
    /// The begin: nothing was opened.
    fn default() -> Self {
        let begin = (0, Opened::default());
        Self { looks: VecDeque::from([begin.clone()]), from: begin, until_us: 0 }
    }
}

impl Rates {
    pub(super) fn look(&mut self, now_us: u64, groups: &[GroupRow]) {
        if self.looks.back().is_some_and(|(last_us, _)| now_us < last_us + 1_000_000) {
            return;
        }
        let mut opened = HashMap::with_capacity(2 * groups.len());
        for row in groups {
            let part = |process| PartName { group: row.name.clone(), process };
            *opened.entry(part(None)).or_default() += row.counts.opened;
            if row.pid.is_some() {
                opened.insert(part(Some(Member::of(row))), row.counts.opened);
            }
        }
        self.looks.push_back((now_us, Arc::new(opened)));
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
        let (from_us, opened) = &self.from;
        let overflow = PartName { group: None, process: None };
        let before = match opened.get(part) {
            _ if *part == overflow || part.process == Some(Member::Ended) => return None,
            Some(before) => *before,
            None if opened.contains_key(&overflow) => return None,
            None => 0,
        };
        let seconds = self.until_us.checked_sub(*from_us).filter(|us| *us > 0)? as f64 / 1e6;
        Some(opened_now.saturating_sub(before) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tui::fixture;

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
        let other =
            groups(10)[0].name.as_deref().map(|name| Arc::new(crate::tracker::GroupName { port: 1, ..name.clone() }));
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
        let mut rates = Rates { looks: VecDeque::new(), ..Rates::default() };
        rates.look(0, &[others]);
        rates.tell_of(1_000_000);
        assert_eq!(rates.of(&part(None), 10), None, "it may have been among the others");
    }
}
