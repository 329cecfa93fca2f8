//! Reads the counter maps, and deletes ended groups: those whose process has exited and whose connections are all
//! closed. Otherwise short-lived processes would fill the map of 10,000 groups.

use std::collections;

use anyhow::Context as _;
use aya::maps::{Array, HashMap, MapData, PerCpuArray, Queue};
use tcp_reuse_watch_ebpf::{Connection, GroupKey, Loss, OVERFLOW, OVERFLOW_SLOT, Phase};

use super::pod::Wire;
use crate::host::liveness::Liveness;
use observer_core::model::{ConnectionKey, GroupCounters, GroupSample, LossSample, Sample};

pub(crate) struct CounterMaps {
    groups: HashMap<MapData, Wire<GroupKey>, u32>,
    /// Indexed by slot.
    values: Array<MapData, Wire<GroupCounters>>,
    free_slots: Queue<MapData, u32>,
    /// Slots of the groups in the last sample. A group keeps its slot.
    slots: collections::HashMap<GroupKey, u32>,
    connections: HashMap<MapData, u64, Wire<Connection>>,
    loss: PerCpuArray<MapData, u64>,
    processes: Liveness,
}

impl CounterMaps {
    pub(super) fn new(
        groups: HashMap<MapData, Wire<GroupKey>, u32>,
        values: Array<MapData, Wire<GroupCounters>>,
        free_slots: Queue<MapData, u32>,
        connections: HashMap<MapData, u64, Wire<Connection>>,
        loss: PerCpuArray<MapData, u64>,
    ) -> Self {
        let slots = collections::HashMap::from([(OVERFLOW, OVERFLOW_SLOT)]);
        Self { groups, values, free_slots, slots, connections, loss, processes: Liveness::new() }
    }

    /// Reads every counter. Ended groups are marked `ended` and deleted from the kernel, so this is their last sample.
    /// `skips`: how often the kernel skipped a program, and how often no other hook compensated.
    pub(crate) fn sample(&mut self, skips: (u64, u64)) -> anyhow::Result<Sample> {
        let keys: Vec<GroupKey> = self.groups.keys().map(|key| key.map(|Wire(key)| key)).collect::<Result<_, _>>()?;
        self.processes.begin_sample();
        let mut groups = Vec::with_capacity(keys.len() + 1);
        for key in keys.into_iter().chain([OVERFLOW]) {
            // Checked before the counters are read. In the other order, a last connect in between would be lost.
            let process_ended = key.tgid != 0 && !self.processes.is_running(key.tgid, key.start_ticks);
            let slot = self.slot_of(key)?;
            let Wire(counters) = self.values.get(&slot, 0)?;
            let ended = process_ended && counters.tracked == 0 && self.delete(key, slot);
            groups.push(GroupSample { key, counters, ended, process_ended, runtime: None, cgroup: None });
        }
        Ok(Sample { groups, loss: self.loss(skips)?, ..Sample::default() })
    }

    fn slot_of(&mut self, key: GroupKey) -> anyhow::Result<u32> {
        if let Some(slot) = self.slots.get(&key) {
            return Ok(*slot);
        }
        let slot = self.groups.get(&Wire(key), 0)?;
        self.slots.insert(key, slot);
        Ok(slot)
    }

    /// Returns false if the map is busy, because a softirq has interrupted an update on the same CPU.
    fn delete(&mut self, key: GroupKey, slot: u32) -> bool {
        if let Err(error) = self.groups.remove(&Wire(key)) {
            log::debug!("cannot delete an ended group: {error}");
            return false;
        }
        self.slots.remove(&key);
        // Nothing refers to the slot any more. If freeing it fails, there is room for one group less.
        let freed =
            self.values.set(slot, Wire(GroupCounters::default()), 0).and_then(|()| self.free_slots.push(slot, 0));
        if let Err(error) = freed {
            log::warn!("cannot free the slot of an ended group: {error}");
        }
        true
    }

    pub(super) fn loss(&self, (hook_skips, unrecovered_skips): (u64, u64)) -> anyhow::Result<LossSample> {
        let count = |what: Loss| -> anyhow::Result<u64> {
            let per_cpu = self.loss.get(&(what as u32), 0).context("cannot read the loss counters")?;
            Ok(per_cpu.iter().sum())
        };
        Ok(LossSample {
            rows: count(Loss::RowsLost)?,
            untracked: count(Loss::Untracked)?,
            mptcp: count(Loss::Mptcp)?,
            counts: count(Loss::CountsLost)?,
            hook_skips,
            unrecovered_skips,
            lookups: None,
        })
    }

    /// Looks up a connection. None: it is no longer in the kernel's map.
    pub(crate) fn connection(&self, key: ConnectionKey) -> Option<Connection> {
        let Wire(connection) = self.connections.get(&key.socket, 0).ok()?;
        (connection.connect_ns == key.connect_ns).then_some(connection)
    }

    /// Closed connections that are still in the map, because the application holds the socket or the hook at its end
    /// was skipped. For the end of a watch, when the programs are detached.
    pub(crate) fn closed_connections(&self) -> Vec<Connection> {
        self.connections
            .iter()
            .filter_map(Result::ok)
            .map(|(_, Wire(connection))| connection)
            .filter(|connection| connection.phase == Phase::Closed as u8)
            .collect()
    }
}
