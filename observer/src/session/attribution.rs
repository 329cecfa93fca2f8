//! Attributes groups beyond the kernel's data: adds the runtime and the cgroup of each group's process.

use observer_core::model::{Sample, process_name};

use crate::{helper::Runtimes, host::cgroups::Cgroups};

pub(super) struct Attribution {
    pub(super) runtimes: Runtimes,
    cgroups: Cgroups,
}

impl Attribution {
    pub(super) fn new(runtimes: Runtimes) -> Self {
        Self { runtimes, cgroups: Cgroups::new() }
    }

    /// Fills in the groups of a sample. `last`: looks up cgroups even if the last walk was a moment ago.
    pub(super) fn fill_in(&mut self, sample: &mut Sample, last: bool) {
        self.cgroups.fill_in(&mut sample.groups, last);
        self.fill_in_runtimes(sample);
    }

    /// Requests unknown runtimes, which a later sample fills in.
    fn fill_in_runtimes(&mut self, sample: &mut Sample) {
        let responses = self.runtimes.responses();
        for group in sample.groups.iter_mut().filter(|group| group.key.tgid > 0) {
            let process = group.process();
            if !group.process_ended {
                self.runtimes.request(process);
            }
            group.runtime = self.runtimes.get(process);
        }
        for (process, runtime) in responses {
            let name = process_name(process.comm).unwrap_or_default();
            let runtime = runtime.map_or_else(|| "cannot be told".to_string(), |runtime| runtime.to_string());
            log::debug!("runtime of process {} ({}): {runtime}", process.pid, name.escape_debug());
        }
    }
}
