//! Reading the counters, and clearing away groups that are over: their process is gone and no connection counts in them
//! any more, so ten thousand short-lived processes take bounded room.

use std::collections;

use anyhow::Context as _;
use aya::maps::{Array, HashMap, MapData, PerCpuArray, Queue};
use tcp_reuse_watch_ebpf::{Connection, GroupCounters, GroupKey, Loss, OVERFLOW, OVERFLOW_SLOT, Phase};

use super::{Wire, processes::Processes};
use crate::event::{ConnectionKey, GroupSample, LossSample, Sample};

pub(crate) struct Counters {
    groups: HashMap<MapData, Wire<GroupKey>, u32>,
    /// By slot.
    values: Array<MapData, Wire<GroupCounters>>,
    free_slots: Queue<MapData, u32>,
    /// Slots of the groups in the last sample: they stay the same.
    slots: collections::HashMap<GroupKey, u32>,
    connections: HashMap<MapData, u64, Wire<Connection>>,
    loss: PerCpuArray<MapData, u64>,
}

impl Counters {
    pub(super) fn new(
        groups: HashMap<MapData, Wire<GroupKey>, u32>,
        values: Array<MapData, Wire<GroupCounters>>,
        free_slots: Queue<MapData, u32>,
        connections: HashMap<MapData, u64, Wire<Connection>>,
        loss: PerCpuArray<MapData, u64>,
    ) -> Self {
        let slots = collections::HashMap::from([(OVERFLOW, OVERFLOW_SLOT)]);
        Self { groups, values, free_slots, slots, connections, loss }
    }

    /// Reads every counter. Groups that are over are marked `ended`, and are deleted from the kernel: what is returned
    /// is the last that is known of them. `skips`: how often hooks were skipped, all and those that nothing made good.
    pub(crate) fn sample(&mut self, skips: (u64, u64)) -> anyhow::Result<Sample> {
        let keys: Vec<GroupKey> = self.groups.keys().map(|key| key.map(|Wire(key)| key)).collect::<Result<_, _>>()?;
        let mut processes = Processes::default();
        let mut groups = Vec::with_capacity(keys.len() + 1);
        for key in keys.into_iter().chain([OVERFLOW]) {
            // First that the process is gone, then the counters: the other way round a last connect could slip between.
            let process_ended = key.tgid != 0 && !processes.runs(key.tgid, key.start_ticks);
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

    /// False if it could not be deleted now (a softirq interrupted an update on the same processor).
    fn delete(&mut self, key: GroupKey, slot: u32) -> bool {
        if let Err(error) = self.groups.remove(&Wire(key)) {
            log::debug!("cannot delete a group: {error}");
            return false;
        }
        self.slots.remove(&key);
        // Nothing points at the slot any more. Without it there is room for one group less.
        let freed =
            self.values.set(slot, Wire(GroupCounters::default()), 0).and_then(|()| self.free_slots.push(slot, 0));
        if let Err(error) = freed {
            log::warn!("cannot free the slot of a group: {error}");
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
        })
    }

    /// One connection; None if it is gone.
    pub(crate) fn connection(&self, key: ConnectionKey) -> Option<Connection> {
        let Wire(connection) = self.connections.get(&key.socket, 0).ok()?;
        (connection.connect_ns == key.connect_ns).then_some(connection)
    }

    /// Connections that are closed but still in the map: the application holds their socket yet, or the hook at their
    /// end was skipped. For the end of a watch, when nothing changes any more.
    pub(crate) fn closed_connections(&self) -> Vec<Connection> {
        self.connections
            .iter()
            .filter_map(Result::ok)
            .map(|(_, Wire(connection))| connection)
            .filter(|connection| connection.phase == Phase::Closed as u8)
            .collect()
    }
}
