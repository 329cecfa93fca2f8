//! Groups that have left the kernel because slots were scarce, while their processes live on. Their counters rest here
//! and continue when the kernel creates the group again, so a group stays one row with rising counters.

use std::collections::{HashMap, HashSet};

use observer_core::{group::continued, model::GroupCounters};
use tcp_reuse_watch_ebpf::GroupKey;

#[derive(Default)]
pub(super) struct Resting(HashMap<GroupKey, GroupCounters>);

impl Resting {
    /// Adds the final counters of a group's slot.
    pub(super) fn add(&mut self, key: GroupKey, counters: &GroupCounters) {
        self.0.entry(key).and_modify(|before| *before = continued(before, counters)).or_insert(*counters);
    }

    /// The counters of a group in the kernel, with those of its earlier slots.
    pub(super) fn continued(&self, key: &GroupKey, since: &GroupCounters) -> GroupCounters {
        self.0.get(key).map_or(*since, |before| continued(before, since))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn remove(&mut self, key: &GroupKey) {
        self.0.remove(key);
    }

    /// The resting groups that are not in the kernel.
    pub(super) fn absent(&self, present: &HashSet<GroupKey>) -> Vec<(GroupKey, GroupCounters)> {
        self.0.iter().filter(|(key, _)| !present.contains(key)).map(|(key, counters)| (*key, *counters)).collect()
    }
}

/// Exchanges and connections of a group: the loudest groups keep their names longest.
pub(super) fn loudness(counters: &GroupCounters) -> u64 {
    counters.new + counters.reused + counters.opened + counters.pre_existing
}
