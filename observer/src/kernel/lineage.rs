//! The processes that a filter follows. The kernel side adds the descendants of a process as they are forked, and removes
//! what has exited.

use anyhow::bail;
use aya::{
    Btf, Ebpf,
    maps::{HashMap, MapData},
};

use super::iterator;
use crate::host::{namespaces::why_processes_are_unknown, processes::start_ticks_of};

/// Processes that are followed at the same time, with their descendants. Forks beyond it are counted as a loss.
pub(super) const MAX_FOLLOWED: u32 = 65_536;

const ITERATOR: &str = "named_processes";

pub(crate) struct Lineage(HashMap<MapData, u32, u64>);

/// A process that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Followed {
    /// The id that the kernel side knows it by: that of the machine.
    pub(crate) tgid: u32,
    pub(crate) start_ticks: u64,
}

impl Lineage {
    pub(super) fn new(followed: HashMap<MapData, u32, u64>) -> Self {
        Self(followed)
    }

    /// Follows the named processes that run, and their descendants. The programs that see forks must be attached.
    pub(super) fn follow_running(&mut self, ebpf: &mut Ebpf, btf: &Btf, pids: &[u32]) -> anyhow::Result<()> {
        // Where the ids are the machine's, the iterator is needed for the descendants only. It does not find process 1 there.
        if why_processes_are_unknown().is_none() {
            for (pid, start_ticks) in pids.iter().filter_map(|pid| Some((pid, start_ticks_of(*pid)?))) {
                self.0.insert(pid, start_ticks, 0)?;
            }
        }
        iterator::load(ebpf, ITERATOR, "task", btf)?;
        let mut followed = 0;
        loop {
            // A child may be listed before its parent.
            iterator::run(ebpf, ITERATOR)?;
            let now = self.0.keys().count();
            if now == 0 {
                // Processes that have just ended, or that only another PID namespace than ours has.
                bail!("the processes to watch are not in the PID namespace of this process, or have ended");
            }
            if now <= followed {
                return Ok(());
            }
            followed = now;
        }
    }

    /// The followed processes that have not exited, as far as the kernel side has seen it.
    pub(crate) fn followed(&self) -> anyhow::Result<Vec<Followed>> {
        let entries = self.0.iter().map(|entry| entry.map(|(tgid, start_ticks)| Followed { tgid, start_ticks }));
        Ok(entries.collect::<Result<_, _>>()?)
    }
}
