//! Reads the counter maps, and takes back the slots of groups.
//!
//! A group whose process has exited is deleted once it tracks no connection. When slots become scarce, groups of living
//! processes leave too, in two phases: first the kernel's entry is deleted, so that the next connect creates the group
//! anew; the slot is freed later, when no program can still be about to use it and no connection is counted in it.

use std::{
    cmp::Reverse,
    collections::{self, HashSet},
    io::ErrorKind,
    mem,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use aya::maps::{Array, HashMap, MapData, MapError, PerCpuArray, Queue};
use observer_core::{
    group::continued,
    model::{ConnectionKey, GroupCounters, GroupSample, LossSample, Sample},
};
use rustix::thread::{MembarrierCommand, membarrier};
use tcp_reuse_watch_ebpf::{Connection, GroupKey, GroupPlace, Holder, Loss, OVERFLOW, Phase, UNKNOWN_OWNER};

use super::{
    pod::Wire,
    resting::{Resting, loudness},
    slots::{Idle, MAX_GROUPS, SlotTable},
};
use crate::host::liveness::Liveness;

/// How long a slot is kept after its group has left the kernel, at least. A barrier is waited for as well; where the
/// kernel refuses it, only the longer time tells that no program that has found the group is still running.
const KEEP: Duration = Duration::from_secs(1);
const KEEP_WITHOUT_BARRIER: Duration = Duration::from_secs(10);

/// The maps that the programs count in.
pub(super) struct Maps {
    pub(super) groups: HashMap<MapData, Wire<GroupKey>, Wire<GroupPlace>>,
    /// Indexed by slot.
    pub(super) values: Array<MapData, Wire<GroupCounters>>,
    pub(super) free_slots: Queue<MapData, u32>,
    pub(super) slots_taken: HashMap<MapData, Wire<Holder>, u64>,
    pub(super) slots_returned: HashMap<MapData, Wire<Holder>, u64>,
    pub(super) connections: HashMap<MapData, u64, Wire<Connection>>,
    pub(super) loss: PerCpuArray<MapData, u64>,
}

pub(crate) struct CounterMaps {
    maps: Maps,
    slots: SlotTable,
    /// Groups that have left the kernel and whose slots are not free yet.
    leaving: Vec<Leaving>,
    resting: Resting,
    /// Slots that could not be given back.
    not_freed: u64,
    processes: Liveness,
}

struct Leaving {
    key: GroupKey,
    slot: u32,
    left: Instant,
    /// No program can be about to use the slot.
    is_unused: bool,
}

impl CounterMaps {
    pub(super) fn new(maps: Maps) -> Self {
        let (slots, processes) = (SlotTable::new(), Liveness::new());
        Self { maps, slots, leaving: Vec::new(), resting: Resting::default(), not_freed: 0, processes }
    }

    /// Begins a sample: learns which processes have ended. Also closes the descriptors that a lowered limit no longer
    /// allows, so that files can be opened again.
    pub(super) fn begin_sample(&mut self) {
        self.processes.begin_sample();
    }

    /// Reads every counter. Ended groups are marked `ended` and deleted from the kernel, so this is their last sample.
    /// `skips`: how often the kernel skipped a program, and how often no other hook compensated.
    pub(crate) fn sample(&mut self, skips: (u64, u64)) -> anyhow::Result<Sample> {
        let keys: Vec<GroupKey> =
            self.maps.groups.keys().map(|key| key.map(|Wire(key)| key)).collect::<Result<_, _>>()?;
        let mut left = self.free_slots()?;
        let mut groups = Vec::with_capacity(keys.len() + 1);
        let mut idle = Vec::new();
        for key in keys.into_iter().chain([OVERFLOW]) {
            // Checked before the counters are read. In the other order, a last connect in between would be lost.
            let has_exited = self.has_exited(&key);
            let (slot, current) = self.read(key)?;
            let has_exited = has_exited || is_unowned(&key) && current.tracked == 0;
            let earlier = left.remove(&key);
            let is_idle = current.tracked == 0 && earlier.is_none();
            let counters =
                self.resting.continued(&key, &earlier.map_or(current, |earlier| continued(&earlier, &current)));
            let ended = is_idle && has_exited && self.delete(key, slot, &current);
            if is_idle && !has_exited && key != OVERFLOW {
                idle.push(Idle { key, uid: current.uid(), loudness: loudness(&counters) });
            }
            groups.push(sample_of(key, &counters, ended, has_exited));
        }
        for (key, counters) in left {
            let process_ended = self.has_exited(&key);
            groups.push(sample_of(key, &self.resting.continued(&key, &counters), false, process_ended));
        }
        self.add_resting(&mut groups);
        for group in self.slots.scarce(idle) {
            self.let_leave(group);
        }
        Ok(Sample { groups, loss: self.loss(skips)?, ..Sample::default() })
    }

    /// Adds the groups that rest here and are not in the kernel. At most as many groups have names as the kernel has
    /// slots: beyond that the quietest give up theirs.
    fn add_resting(&mut self, groups: &mut Vec<GroupSample>) {
        if self.resting.is_empty() {
            return;
        }
        let present: HashSet<GroupKey> = groups.iter().map(|group| group.key).collect();
        let mut resting = self.resting.absent(&present);
        resting.sort_unstable_by_key(|(key, counters)| (Reverse(loudness(counters)), *key));
        let room = (MAX_GROUPS as usize).saturating_sub(present.len());
        for (index, (key, counters)) in resting.into_iter().enumerate() {
            let has_exited = self.has_exited(&key);
            let evicted = index >= room;
            if has_exited || evicted {
                self.resting.remove(&key);
            }
            groups.push(GroupSample { evicted, ..sample_of(key, &counters, has_exited || evicted, has_exited) });
        }
    }

    /// Whether the process of a group has exited, so it connects no more.
    fn has_exited(&mut self, key: &GroupKey) -> bool {
        let is_process = key.tgid != 0 && !key.is_overflow();
        is_process && !self.processes.is_running(key.tgid, key.start_ticks)
    }

    fn read(&mut self, key: GroupKey) -> anyhow::Result<(u32, GroupCounters)> {
        let known = self.slots.slot_of(&key);
        let slot = if let Some(slot) = known {
            slot
        } else {
            let Wire(place) = self.maps.groups.get(&Wire(key), 0)?;
            place.slot_of(&key).context("a group has the slot of another one")?
        };
        let Wire(counters) = self.maps.values.get(&slot, 0)?;
        if known.is_none() {
            self.slots.insert(key, slot, counters.uid());
        }
        Ok((slot, counters))
    }

    /// Deletes a group for good. Returns false if the map is busy, because a softirq has interrupted an update on the
    /// same CPU.
    fn delete(&mut self, key: GroupKey, slot: u32, counters: &GroupCounters) -> bool {
        if let Err(error) = self.maps.groups.remove(&Wire(key)) {
            log::debug!("cannot delete an ended group: {error}");
            return false;
        }
        self.slots.leave(&key, counters.uid());
        self.free(key, slot, counters);
        self.resting.remove(&key);
        true
    }

    /// The first phase: the kernel forgets the group.
    fn let_leave(&mut self, Idle { key, uid, .. }: Idle) {
        let Some(slot) = self.slots.slot_of(&key) else { return };
        match self.maps.groups.remove(&Wire(key)) {
            Ok(()) => {
                self.slots.leave(&key, uid);
                self.leaving.push(Leaving { key, slot, left: Instant::now(), is_unused: false });
            }
            Err(error) => log::debug!("cannot let an idle group leave: {error}"),
        }
    }

    /// The second phase: frees the slots that count nothing any more. Returns the counters in the others.
    fn free_slots(&mut self) -> anyhow::Result<collections::HashMap<GroupKey, GroupCounters>> {
        if self.leaving.iter().any(|group| !group.is_unused && group.left.elapsed() >= KEEP) {
            // Waits for an RCU grace period, and so for every BPF program that runs now (`sys_membarrier()`,
            // kernel/sched/membarrier.c).
            let keep = if membarrier(MembarrierCommand::Global).is_ok() { KEEP } else { KEEP_WITHOUT_BARRIER };
            for group in &mut self.leaving {
                group.is_unused |= group.left.elapsed() >= keep;
            }
        }
        let mut counted = collections::HashMap::new();
        for group in mem::take(&mut self.leaving) {
            let Wire(counters) = self.maps.values.get(&group.slot, 0)?;
            if group.is_unused && counters.tracked == 0 {
                self.resting.add(group.key, &counters);
                self.free(group.key, group.slot, &counters);
            } else {
                let both = counted.get(&group.key).map_or(counters, |earlier| continued(earlier, &counters));
                counted.insert(group.key, both);
                self.leaving.push(group);
            }
        }
        Ok(counted)
    }

    /// Gives the slot of a deleted group back to the kernel and to its holders. If that fails, there is room for one
    /// group less.
    fn free(&mut self, key: GroupKey, slot: u32, counters: &GroupCounters) {
        let zeroed = self.maps.values.set(slot, Wire(GroupCounters::default()), 0);
        if let Err(error) = zeroed.and_then(|()| self.maps.free_slots.push(slot, 0)) {
            self.not_freed += 1;
            log::warn!("cannot free the slot of a group: {error}");
            return;
        }
        for (holder, holds_none) in self.slots.free(&key, counters.uid()) {
            if let Err(error) = self.return_slot(holder, holds_none) {
                self.not_freed += 1;
                log::warn!("cannot give a slot back to {holder:?}: {error}");
            }
        }
    }

    /// Both numbers start over once a holder has no slot. A slot that it takes at this moment is not counted then.
    fn return_slot(&mut self, holder: Holder, holds_none: bool) -> Result<(), MapError> {
        let Maps { slots_taken, slots_returned, .. } = &mut self.maps;
        if holds_none {
            return unless_absent(slots_taken.remove(&Wire(holder)))
                .and(unless_absent(slots_returned.remove(&Wire(holder))));
        }
        let returned = match slots_returned.get(&Wire(holder), 0) {
            Err(MapError::KeyNotFound) => 0,
            result => result?,
        };
        slots_returned.insert(Wire(holder), returned + 1, 0)
    }

    /// How many connections another sock_ops program has taken the callback of.
    pub(super) fn callbacks_taken(&self) -> anyhow::Result<u64> {
        self.count(Loss::CallbackTaken)
    }

    fn count(&self, what: Loss) -> anyhow::Result<u64> {
        let per_cpu = self.maps.loss.get(&(what as u32), 0).context("cannot read the loss counters")?;
        Ok(per_cpu.iter().sum())
    }

    pub(super) fn loss(&self, (hook_skips, unrecovered_skips): (u64, u64)) -> anyhow::Result<LossSample> {
        let count = |what| self.count(what);
        Ok(LossSample {
            rows: count(Loss::RowsLost)?,
            untracked: count(Loss::Untracked)?,
            mptcp: count(Loss::Mptcp)?,
            counts: count(Loss::CountsLost)?,
            hook_skips,
            unrecovered_skips,
            ungrouped: count(Loss::GroupsFull)?,
            unlisted: count(Loss::Unlisted)?,
            ownerless: count(Loss::Ownerless)?,
            unfollowed: count(Loss::Unfollowed)?,
            not_removed: count(Loss::NotRemoved)? + self.not_freed,
            lookups: None,
        })
    }

    /// Looks up a connection. None: it is no longer in the kernel's map.
    pub(crate) fn connection(&self, key: ConnectionKey) -> Option<Connection> {
        let Wire(connection) = self.maps.connections.get(&key.socket, 0).ok()?;
        (connection.connect_ns == key.connect_ns).then_some(connection)
    }

    /// Closed connections that are still in the map, because the application holds the socket or the hook at its end
    /// was skipped. For the end of a watch, when the programs are detached.
    pub(crate) fn closed_connections(&self) -> Vec<Connection> {
        self.maps
            .connections
            .iter()
            .filter_map(Result::ok)
            .map(|(_, Wire(connection))| connection)
            .filter(|connection| connection.phase == Phase::Closed as u8)
            .collect()
    }
}

/// Whether the owner of a group is unknown. Its connections are pre-existing ones: no more of them will come.
fn is_unowned(key: &GroupKey) -> bool {
    (key.tgid, key.start_ticks) == (UNKNOWN_OWNER.tgid, UNKNOWN_OWNER.start_ticks)
}

/// What is not in the map need not be removed: a holder that has returned no slot yet is in one map only.
fn unless_absent(removed: Result<(), MapError>) -> Result<(), MapError> {
    match removed {
        Err(MapError::KeyNotFound) => Ok(()),
        Err(MapError::SyscallError(error)) if error.io_error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn sample_of(key: GroupKey, counters: &GroupCounters, ended: bool, process_ended: bool) -> GroupSample {
    GroupSample { key, counters: *counters, ended, process_ended, evicted: false, runtime: None, cgroup: None }
}
