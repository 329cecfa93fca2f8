//! Attributes groups beyond the kernel's data: adds the runtime and the cgroup of each group's process.

use observer_core::model::{GroupSample, Sample, process_name};

use crate::{helper::Runtimes, host::cgroups::Cgroups};

pub(super) struct Attribution {
    pub(super) runtimes: Runtimes,
    cgroups: Cgroups,
    /// The group at which to begin with requests for runtimes.
    next: usize,
}

impl Attribution {
    pub(super) fn new(runtimes: Runtimes) -> Self {
        Self { runtimes, cgroups: Cgroups::new(), next: 0 }
    }

    /// Fills in the groups of a sample. `last`: looks up cgroups even if the last walk was a moment ago.
    pub(super) fn fill_in(&mut self, sample: &mut Sample, last: bool) {
        self.cgroups.fill_in(&mut sample.groups, last);
        self.fill_in_runtimes(sample);
    }

    /// Requests unknown runtimes, which a later sample fills in.
    fn fill_in_runtimes(&mut self, sample: &mut Sample) {
        let news = self.runtimes.news();
        self.request_runtimes(&sample.groups);
        for group in sample.groups.iter_mut().filter(|group| group.key.tgid > 0) {
            group.runtime = self.runtimes.get(group.process());
        }
        sample.loss.lookups = self.runtimes.lookups();
        for (process, runtime) in news {
            let name = process_name(process.comm).unwrap_or_default();
            let runtime = runtime.map_or_else(|| "cannot be told".to_string(), |runtime| runtime.to_string());
            log::debug!("runtime of process {} ({}): {runtime}", process.pid, name.escape_debug());
        }
    }

    /// Begins with the group that found no room at the last sample, so that each gets its turn.
    fn request_runtimes(&mut self, groups: &[GroupSample]) {
        let is_wanted = |group: &GroupSample| group.key.tgid > 0 && !group.process_ended;
        let mut in_turn = in_turn(self.next, groups.len());
        let without_room = in_turn.find(|at| is_wanted(&groups[*at]) && !self.runtimes.request(groups[*at].process()));
        self.next = without_room.unwrap_or(0);
    }
}

/// All indices below `len`, beginning with this one.
fn in_turn(first: usize, len: usize) -> impl Iterator<Item = usize> {
    let first = first.min(len);
    (first..len).chain(0..first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_gets_its_turn() {
        let turns = |first, len| in_turn(first, len).collect::<Vec<_>>();
        assert_eq!([turns(0, 3), turns(2, 3), turns(3, 3), turns(9, 3)], [[0, 1, 2], [2, 0, 1], [0, 1, 2], [0, 1, 2]]);
        assert!(turns(1, 0).is_empty());
    }
}
