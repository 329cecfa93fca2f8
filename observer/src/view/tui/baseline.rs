//! What had been counted when the screen was reset: subtracted from what is shown, and from nothing else.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::tracker::{Counts, Family, GroupName, GroupRow};

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
    /// By process id, in its order; None for those that had ended.
    parts: Vec<(Option<u32>, Counts)>,
}

impl Baseline {
    pub(super) fn new(at_us: u64, totals: &Counts, families: &[Family]) -> Self {
        let before = |family: &Family| {
            let mut parts: Vec<_> = family.parts().iter().map(|row| (row.pid, row.counts)).collect();
            parts.sort_unstable_by_key(|(pid, _)| *pid);
            Before { whole: family.whole.counts, parts }
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
        if row.pid.is_some() {
            let place = before.parts.binary_search_by_key(&row.pid, |(pid, _)| *pid);
            return place.map_or(row.counts, |place| row.counts.since(&before.parts[place].1));
        }
        let present: HashSet<u32> = family.parts().iter().filter_map(|row| row.pid).collect();
        let mut earlier = Counts::default();
        for (_, counts) in before.parts.iter().filter(|(pid, _)| pid.is_none_or(|pid| !present.contains(&pid))) {
            earlier += *counts;
        }
        row.counts.since(&earlier)
    }
}
