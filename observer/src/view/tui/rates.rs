//! How many connections a group opens each second, over the last few seconds.

use std::collections::{HashMap, VecDeque};

use super::part::{Member, PartName};
use crate::tracker::Family;

/// Looks that are kept, a second apart or more: rates are over as many seconds, less one.
const LOOKS: usize = 6;

#[derive(Clone, Debug)]
pub(super) struct Rates {
    /// When, since the begin of the watch, and how many had been opened by then; the oldest first.
    looks: VecDeque<(u64, HashMap<PartName, u64>)>,
    now_us: u64,
}

impl Default for Rates {
    /// The begin: nothing was opened.
    fn default() -> Self {
        Self { looks: VecDeque::from([(0, HashMap::new())]), now_us: 0 }
    }
}

impl Rates {
    pub(super) fn look(&mut self, now_us: u64, families: &[Family]) {
        self.now_us = now_us;
        if self.looks.back().is_some_and(|(last_us, _)| now_us < last_us + 1_000_000) {
            return;
        }
        let mut opened = HashMap::with_capacity(families.len());
        for family in families {
            let group = &family.whole.name;
            opened.insert(PartName { group: group.clone(), process: None }, family.whole.counts.opened);
            for row in &family.members {
                let process = Some(Member::of(row));
                opened.insert(PartName { group: group.clone(), process }, row.counts.opened);
            }
        }
        self.looks.push_back((now_us, opened));
        if self.looks.len() > LOOKS {
            self.looks.pop_front();
        }
    }

    /// Connections per second; None at the very begin.
    pub(super) fn of(&self, part: &PartName, opened_now: u64) -> Option<f64> {
        let (then_us, opened) = self.looks.front()?;
        let seconds = self.now_us.checked_sub(*then_us).filter(|us| *us > 0)? as f64 / 1e6;
        let before = opened.get(part).copied().unwrap_or(0);
        Some(opened_now.saturating_sub(before) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tui::fixture;

    #[test]
    fn rates_are_over_the_last_seconds() {
        let name = PartName { group: fixture::families(10)[0].whole.name.clone(), process: None };
        let mut rates = Rates::default();
        for second in 0..=20u64 {
            rates.look(second * 1_000_000, &fixture::families(10 * second));
        }
        assert_eq!(rates.of(&name, 200), Some(10.0));
        let unknown = PartName { group: None, process: None };
        assert_eq!(rates.of(&unknown, 10), Some(2.0));
        assert_eq!(Rates::default().of(&name, 10), None);
    }
}
