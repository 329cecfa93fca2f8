//! Reading the counters, and clearing away groups that are over: their process is gone and no connection counts in them
//! any more, so ten thousand short-lived processes take bounded room.

use std::{collections::HashMap as StdHashMap, fs};

use anyhow::Context as _;
use aya::maps::{HashMap, MapData, PerCpuArray};
use tcp_reuse_watch_ebpf::{Connection, Group, GroupKey, Loss, Phase};

use super::Wire;
use crate::event::{GroupSample, LossSample, Sample};

/// Clock ticks a second in /proc (`USER_HZ`, 100 on every architecture that Rust supports here).
const USER_HZ: u64 = 100;

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
            let process_ended = key.tgid != 0 && !processes.runs(key.tgid, key.start_ns);
            let Wire(counters) = self.groups.get(&Wire(key), 0)?;
            let ended = process_ended && counters.tracked == 0 && self.delete(key);
            groups.push(GroupSample { key, counters, ended, process_ended });
        }
        Ok(Sample { groups, loss: self.loss(skips)? })
    }

    /// False if it could not be deleted now (a softirq interrupted an update on the same processor).
    fn delete(&mut self, key: GroupKey) -> bool {
        self.groups.remove(&Wire(key)).inspect_err(|error| log::debug!("cannot delete a group: {error}")).is_ok()
    }

    fn loss(&self, (hook_skips, unrecovered_skips): (u64, u64)) -> anyhow::Result<LossSample> {
        let count = |what: Loss| -> anyhow::Result<u64> {
            let per_cpu = self.loss.get(&(what as u32), 0).context("cannot read the loss counters")?;
            Ok(per_cpu.iter().sum())
        };
        Ok(LossSample {
            rows: count(Loss::RowsLost)?,
            untracked: count(Loss::Untracked)?,
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

/// Which processes run, asked once a sample.
#[derive(Default)]
struct Processes(StdHashMap<u32, Option<u64>>);

impl Processes {
    /// Whether the process with this id is the one that started then, and not a later one with the same number.
    fn runs(&mut self, tgid: u32, start_ns: u64) -> bool {
        let started = self.0.entry(tgid).or_insert_with(|| start_ticks(tgid));
        *started == Some(start_ns / (1_000_000_000 / USER_HZ))
    }
}

/// When a process started, in clock ticks since boot; None when it is gone (a zombie is).
fn start_ticks(tgid: u32) -> Option<u64> {
    parse_start_ticks(&fs::read_to_string(format!("/proc/{tgid}/stat")).ok()?)
}

/// Fields 3 (state) and 22 (start time) of /proc/PID/stat; the name before them may hold spaces and parentheses.
fn parse_start_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194304 1 0 0 0 1 2 0 0 20 0 1 0 123456 1000 10";
        assert_eq!(parse_start_ticks(stat), Some(123_456));
        assert_eq!(parse_start_ticks(&stat.replace(" S ", " Z ")), None);
        assert_eq!(parse_start_ticks("nonsense"), None);
    }

    #[test]
    fn this_process_runs_and_another_of_its_number_does_not() {
        let me = std::process::id();
        let start_ns = start_ticks(me).unwrap() * (1_000_000_000 / USER_HZ);
        assert!(Processes::default().runs(me, start_ns + 5));
        assert!(!Processes::default().runs(me, start_ns + 1_000_000_000));
    }
}
