//! The counts at the last reset of the screen. Only the screen subtracts them; the watch keeps its own.

use std::{collections::HashSet, sync::Arc};

use foldhash::HashMap;

use crate::{
    group::Counts,
    tracker::{Family, GroupName, GroupRow},
};

#[derive(Clone, Debug)]
pub(crate) struct Baseline {
    /// The time of the reset, in microseconds since the start of the watch.
    pub(crate) at_us: u64,
    pub(crate) totals: Counts,
    families: HashMap<Option<Arc<GroupName>>, Before>,
}

/// The counts of a family at the reset.
#[derive(Clone, Debug)]
struct Before {
    whole: Counts,
    /// None if the family had several processes.
    pid: Option<u32>,
    /// Counts by process id, sorted, if there were several. None: processes that had ended.
    parts: Vec<(Option<u32>, Counts)>,
}

impl Before {
    fn of_process(&self, pid: u32) -> Option<&Counts> {
        if self.parts.is_empty() {
            return (self.pid == Some(pid)).then_some(&self.whole);
        }
        let place = self.parts.binary_search_by_key(&Some(pid), |(pid, _)| *pid).ok()?;
        Some(&self.parts[place].1)
    }
}

impl Baseline {
    pub(crate) fn new(at_us: u64, totals: &Counts, families: &[Family]) -> Self {
        let before = |family: &Family| {
            let mut parts: Vec<_> = family.members.iter().map(|row| (row.pid, row.counts)).collect();
            parts.sort_unstable_by_key(|(pid, _)| *pid);
            Before { whole: family.whole.counts, pid: family.whole.pid, parts }
        };
        let families = families.iter().map(|family| (family.whole.name.clone(), before(family))).collect();
        Self { at_us, totals: *totals, families }
    }

    /// Counts of a family since the reset.
    pub(crate) fn whole_since(&self, family: &Family) -> Counts {
        match self.families.get(&family.whole.name) {
            Some(before) => family.whole.counts.since(&before.whole),
            None => family.whole.counts,
        }
    }

    /// Counts of a member since the reset. Ended processes share one row, so all counts of processes that are no longer
    /// running are subtracted from it.
    pub(crate) fn member_since(&self, family: &Family, row: &GroupRow) -> Counts {
        let Some(before) = self.families.get(&family.whole.name) else { return row.counts };
        if let Some(pid) = row.pid {
            return before.of_process(pid).map_or(row.counts, |before| row.counts.since(before));
        }
        let running: HashSet<u32> = family.parts().iter().filter_map(|row| row.pid).collect();
        let has_ended = |pid: Option<u32>| pid.is_none_or(|pid| !running.contains(&pid));
        let mut earlier = Counts::default();
        if before.parts.is_empty() && has_ended(before.pid) {
            earlier = before.whole;
        }
        for (_, counts) in before.parts.iter().filter(|(pid, _)| has_ended(*pid)) {
            earlier += *counts;
        }
        row.counts.since(&earlier)
    }
}
