//! What had been counted when the screen was reset: subtracted from what is shown, and from nothing else.

use std::{collections::HashSet, sync::Arc};

use foldhash::HashMap;

use crate::group::Counts;
use crate::tracker::{Family, GroupName, GroupRow};

#[derive(Clone, Debug)]
pub(super) struct Baseline {
    /// When it was set, since the begin of the watch.
    pub(super) at_us: u64,
    pub(super) totals: Counts,
    families: HashMap<Option<Arc<GroupName>>, Before>,
}

#[derive(Clone, Debug)]
struct Before {
    whole: Counts,
    /// Whose that is, if it was but one.
    pid: Option<u32>,
    /// By process id, in its order, where there were several; None for those that had ended.
    parts: Vec<(Option<u32>, Counts)>,
}

impl Before {
    /// What a process had counted.
    fn of(&self, pid: u32) -> Option<&Counts> {
        if self.parts.is_empty() {
            return (self.pid == Some(pid)).then_some(&self.whole);
        }
        let place = self.parts.binary_search_by_key(&Some(pid), |(pid, _)| *pid).ok()?;
        Some(&self.parts[place].1)
    }
}

impl Baseline {
    pub(super) fn new(at_us: u64, totals: &Counts, families: &[Family]) -> Self {
        let before = |family: &Family| {
            let mut parts: Vec<_> = family.members.iter().map(|row| (row.pid, row.counts)).collect();
            parts.sort_unstable_by_key(|(pid, _)| *pid);
            Before { whole: family.whole.counts, pid: family.whole.pid, parts }
        };
        let families = families.iter().map(|family| (family.whole.name.clone(), before(family))).collect();
        Self { at_us, totals: *totals, families }
    }

    pub(super) fn whole(&self, family: &Family) -> Counts {
        match self.families.get(&family.whole.name) {
            Some(before) => family.whole.counts.since(&before.whole),
            None => family.whole.counts,
        }
    }

    /// A process of its own had its own counts; processes that have ended together had what is nobody else's.
    pub(super) fn part(&self, family: &Family, row: &GroupRow) -> Counts {
        let Some(before) = self.families.get(&family.whole.name) else { return row.counts };
        if let Some(pid) = row.pid {
            return before.of(pid).map_or(row.counts, |before| row.counts.since(before));
        }
        let present: HashSet<u32> = family.parts().iter().filter_map(|row| row.pid).collect();
        let is_over = |pid: Option<u32>| pid.is_none_or(|pid| !present.contains(&pid));
        let mut earlier = Counts::default();
        if before.parts.is_empty() && is_over(before.pid) {
            earlier = before.whole;
        }
        for (_, counts) in before.parts.iter().filter(|(pid, _)| is_over(*pid)) {
            earlier += *counts;
        }
        row.counts.since(&earlier)
    }
}
