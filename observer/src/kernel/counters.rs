//! Reading the counters, and clearing away groups that are over: their process is gone and no connection counts in them
//! any more, so ten thousand short-lived processes take bounded room.

use anyhow::Context as _;
use aya::maps::{HashMap, MapData, PerCpuArray};
use tcp_reuse_watch_ebpf::{Connection, Group, GroupKey, Loss, Phase};

use super::{Wire, processes::Processes};
use crate::event::{GroupSample, LossSample, Sample};

pub(crate) struct Counters {
    groups: HashMap<MapData, Wire<GroupKey>, Wire<Group>>,
    connections: HashMap<MapData, u64, Wire<Connection>>,
    loss: PerCpuArray<MapData, u64>,
}

impl Counters {
    pub(super) fn new(
        groups: HashMap<MapData, Wire<GroupKey>, Wire<Group>>,
        connections: HashMap<MapData, u64, Wire<Connection>>,
        loss: PerCpuArray<MapData, u64>,
    ) -> Self {
        Self { groups, connections, loss }
    }

    /// Reads every counter. Groups that are over are marked `ended`, and are deleted from the kernel: what is returned
    /// is the last that is known of them. `skips`: how often hooks were skipped, all and those that nothing made good.
    pub(crate) fn sample(&mut self, skips: (u64, u64)) -> anyhow::Result<Sample> {
        let keys: Vec<GroupKey> = self.groups.keys().map(|key| key.map(|Wire(key)| key)).collect::<Result<_, _>>()?;
        let mut processes = Processes::default();
        let mut groups = Vec::with_capacity(keys.len());
        for key in keys {
            // First that the process is gone, then the counters: the other way round a last connect could slip between.
            let process_ended = key.tgid != 0 && !processes.runs(key.tgid, key.start_ticks);
            let Wire(counters) = self.groups.get(&Wire(key), 0)?;
            let ended = process_ended && counters.tracked == 0 && self.delete(key);
            groups.push(GroupSample { key, counters, ended, process_ended, runtime: None });
        }
        Ok(Sample { groups, loss: self.loss(skips)?, ..Sample::default() })
    }

    /// False if it could not be deleted now (a softirq interrupted an update on the same processor).
    fn delete(&mut self, key: GroupKey) -> bool {
        self.groups.remove(&Wire(key)).inspect_err(|error| log::debug!("cannot delete a group: {error}")).is_ok()
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
