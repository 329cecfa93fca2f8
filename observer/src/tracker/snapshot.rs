//! What a view sees: all of a watch at one moment, as plain data.

use std::{
    cmp::Reverse,
    collections::HashMap,
    net::{IpAddr, SocketAddr},
};

use super::{
    Counts, Diagnosis, Evidence,
    diagnosis::{Patient, diagnose},
};
use crate::{
    event::{GroupKey, GroupSample, LossSample, SocketState, TIME_WAIT, address, name},
    runtime::Runtime,
};

/// Rows past this many are one row of their own, so that no view grows without bound.
const MAX_GROUPS: usize = 10_000;

/// A watch at one moment. The groups always add up to the totals.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) duration_us: u64,
    pub(crate) totals: Counts,
    pub(crate) loss: LossSample,
    /// How many sockets are in which state, over all destinations that are watched; None where they cannot be listed.
    pub(crate) states: Option<Vec<SocketState>>,
    /// The most exchanges first.
    pub(crate) groups: Vec<GroupRow>,
}

/// A process and a destination; or several ended processes of one name, and a destination; or all that had no room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupRow {
    /// None for the overflow row, which has no one process and no one destination.
    pub(crate) name: Option<GroupName>,
    /// How many processes; None where that is not known.
    pub(crate) processes: Option<u64>,
    /// If there is exactly one process, and it is not the kernel.
    pub(crate) pid: Option<u32>,
    /// None if it is not known; unknown, if it is not the same for all of them.
    pub(crate) runtime: Option<Runtime>,
    pub(crate) counts: Counts,
    evidence: Evidence,
    /// The surest first.
    pub(crate) diagnoses: Vec<Diagnosis>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct GroupName {
    /// None if it is not known.
    pub(crate) process: Option<String>,
    pub(crate) remote: IpAddr,
    pub(crate) port: u16,
}

impl GroupRow {
    fn new(group: &GroupSample, evidence: &Evidence) -> Self {
        let GroupKey { tgid, addr, port, .. } = group.key;
        let is_overflow = group.key == tcp_reuse_watch_ebpf::OVERFLOW;
        Self {
            name: (!is_overflow).then(|| GroupName { process: name(group.counters.comm), remote: address(addr), port }),
            processes: (!is_overflow).then_some(1),
            pid: (tgid > 0).then_some(tgid),
            runtime: group.runtime,
            counts: Counts::from(&group.counters),
            evidence: evidence.clone(),
            diagnoses: Vec::new(),
        }
    }

    /// Process and destination, for a sentence.
    pub(crate) fn title(&self) -> String {
        let Some(GroupName { process, remote, port }) = &self.name else { return "others".into() };
        let process = process.as_deref().unwrap_or("?");
        format!("{process} to {}", SocketAddr::new(*remote, *port))
    }

    fn diagnose(&mut self) {
        let Self { counts, evidence, runtime, processes, .. } = &*self;
        let patient = Patient { counts, evidence, runtime: *runtime, processes: *processes };
        self.diagnoses = diagnose(patient);
    }

    fn absorb(&mut self, other: &Self) {
        self.processes = self.processes.zip(other.processes).map(|(a, b)| a + b);
        self.pid = None;
        self.runtime = match (self.runtime, other.runtime) {
            (Some(one), Some(another)) if one != another => Some(Runtime::Unknown),
            (one, another) => one.or(another),
        };
        self.counts += other.counts;
        self.evidence.absorb(&other.evidence);
    }
}

/// Groups of ended processes, by name and destination; bounded.
#[derive(Clone, Debug, Default)]
pub(super) struct Folded {
    rows: HashMap<Option<GroupName>, GroupRow>,
}

impl Folded {
    pub(super) fn add(&mut self, group: &GroupSample, evidence: &Evidence) {
        let mut row = GroupRow::new(group, evidence);
        if self.rows.len() >= MAX_GROUPS && !self.rows.contains_key(&row.name) {
            (row.name, row.processes) = (None, None);
        }
        match self.rows.get_mut(&row.name) {
            Some(present) => present.absorb(&row),
            None => {
                self.rows.insert(row.name.clone(), row);
            }
        }
    }
}

/// Rows of all groups, those of ended processes folded, with what can be said of each. The most exchanges first.
pub(super) fn rows(live: &[GroupSample], mut folded: Folded, evidence: &HashMap<GroupKey, Evidence>) -> Vec<GroupRow> {
    let nothing = Evidence::default();
    let mut groups = Vec::with_capacity(live.len());
    for group in live {
        let evidence = evidence.get(&group.key).unwrap_or(&nothing);
        if group.process_ended || group.key == tcp_reuse_watch_ebpf::OVERFLOW {
            folded.add(group, evidence);
        } else {
            groups.push(GroupRow::new(group, evidence));
        }
    }
    groups.extend(folded.rows.into_values());
    groups.retain(|group| !group.counts.is_empty());
    groups.sort_by_cached_key(|group| {
        (group.name.is_none(), Reverse((group.counts.exchanges(), group.counts.opened)), group.name.clone(), group.pid)
    });
    merge_beyond(&mut groups, MAX_GROUPS);
    groups.iter_mut().for_each(GroupRow::diagnose);
    groups
}

impl Snapshot {
    pub(super) fn new(
        duration_ns: i64,
        groups: Vec<GroupRow>,
        loss: LossSample,
        states: Option<Vec<SocketState>>,
    ) -> Self {
        let mut totals = Counts::default();
        for group in &groups {
            totals += group.counts;
        }
        Self { duration_us: duration_ns.max(0).cast_unsigned() / 1000, totals, loss, states, groups }
    }

    /// Sockets that this side closed first, and whose addresses the kernel keeps from being used again for a while.
    pub(crate) fn time_wait(&self) -> Option<u64> {
        let states = self.states.as_ref()?;
        Some(states.iter().filter(|state| state.state == TIME_WAIT).map(|state| state.sockets).sum())
    }

    /// No row was lost, nothing went untracked, and no skipped hook was left unrecovered.
    pub(crate) fn is_complete(&self) -> bool {
        let LossSample { rows, counts, unrecovered_skips, .. } = self.loss;
        rows == 0 && self.loss.connections() == 0 && counts == 0 && unrecovered_skips == 0
    }

    /// Nothing went untracked, and every exchange is on a connection that can be counted exactly.
    pub(crate) fn is_exact(&self) -> bool {
        self.loss.connections() == 0 && self.loss.counts == 0 && self.totals.inexact == 0
    }
}

/// Makes the last rows one overflow row, so that `most` and that one are left.
fn merge_beyond(groups: &mut Vec<GroupRow>, most: usize) {
    if groups.len() <= most {
        return;
    }
    let mut rest = GroupRow {
        name: None,
        processes: None,
        pid: None,
        runtime: None,
        counts: Counts::default(),
        evidence: Evidence::default(),
        diagnoses: Vec::new(),
    };
    for group in groups.drain(most..) {
        rest.absorb(&group);
    }
    // The overflow row sorts last, so if there was one it is among those.
    groups.push(rest);
}
