//! What a view sees: all of a watch at one moment, as plain data.

use std::{
    cmp::Reverse,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use super::{
    Counts, Diagnosis, Evidence, Pool, Spoken,
    diagnosis::{Patient, certainties, diagnose},
};
use compact_str::CompactString;
use foldhash::HashMap;

use crate::{
    model::{GroupKey, GroupSample, LossSample, SocketState, TIME_WAIT, address, name},
    runtime::Runtime,
};

/// Rows past this many are one row of their own, so that no view grows without bound.
const MAX_GROUPS: usize = 10_000;

/// A watch at one moment. The groups always add up to the totals.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub duration_us: u64,
    pub totals: Counts,
    pub loss: LossSample,
    /// How many sockets are in which state, over all destinations that are watched; None where they cannot be listed.
    pub states: Option<Vec<SocketState>>,
    /// The most exchanges first.
    pub groups: Vec<GroupRow>,
}

/// A process and a destination; or several ended processes of one name, and a destination; or all that had no room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    /// None for the overflow row, which has no one process and no one destination.
    pub name: Option<Arc<GroupName>>,
    /// How many processes; None where that is not known.
    pub processes: Option<u64>,
    /// If there is exactly one process, and it is not the kernel.
    pub pid: Option<u32>,
    /// Where its connections count, as long as its process runs; None for what is of several.
    pub key: Option<GroupKey>,
    /// None if it is not known; unknown, if it is not the same for all of them.
    pub runtime: Option<Runtime>,
    /// The container or the systemd unit, or else the path of the cgroup; None if that is not known, or not the same for all
    /// of them.
    pub cgroup: Option<Arc<str>>,
    pub spoken: Spoken,
    pub counts: Counts,
    pub evidence: Arc<Evidence>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupName {
    /// None if it is not known.
    pub process: Option<CompactString>,
    pub remote: IpAddr,
    pub port: u16,
}

impl GroupRow {
    fn new(group: &GroupSample, evidence: Arc<Evidence>) -> Self {
        let GroupKey { tgid, addr, port, .. } = group.key;
        let is_overflow = group.key == tcp_reuse_watch_ebpf::OVERFLOW;
        Self {
            name: (!is_overflow).then(|| {
                let process = name(group.counters.comm);
                Arc::new(GroupName { process, remote: address(addr), port })
            }),
            processes: (!is_overflow).then_some(1),
            pid: (tgid > 0).then_some(tgid),
            key: Some(group.key),
            runtime: group.runtime,
            cgroup: group.cgroup.clone(),
            spoken: Spoken::of(group.counters.application),
            counts: Counts::from(&group.counters),
            evidence,
        }
    }

    /// Process and destination, for a sentence.
    pub fn title(&self) -> String {
        let Some(GroupName { process, remote, port }) = self.name.as_deref() else { return "others".into() };
        let process = process.as_deref().unwrap_or("?");
        format!("{process} to {}", SocketAddr::new(*remote, *port))
    }

    /// Why its connections were not reused; the surest first.
    pub fn diagnoses(&self) -> Vec<Diagnosis> {
        diagnose(self.patient())
    }

    /// Those of them that are certain: it takes little to find that there are none.
    pub(super) fn certainties(&self) -> impl Iterator<Item = Diagnosis> {
        certainties(self.patient())
    }

    fn patient(&self) -> Patient<'_> {
        let Self { counts, evidence, runtime, processes, spoken, .. } = self;
        Patient { counts, evidence, runtime: *runtime, processes: *processes, spoken: *spoken }
    }

    /// Takes in another one, of the same name or of any.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.processes = self.processes.zip(other.processes).map(|(a, b)| a + b);
        (self.pid, self.key) = (None, None);
        self.runtime = match (self.runtime, other.runtime) {
            (Some(one), Some(another)) if one != another => Some(Runtime::Unknown),
            (one, another) => one.or(another),
        };
        if self.cgroup != other.cgroup {
            self.cgroup = None;
        }
        self.spoken = self.spoken.and(other.spoken);
        self.counts += other.counts;
        Arc::make_mut(&mut self.evidence).absorb(&other.evidence);
    }
}

/// Groups of ended processes, by name and destination; bounded.
#[derive(Clone, Debug, Default)]
pub(super) struct Folded {
    rows: HashMap<Option<Arc<GroupName>>, GroupRow>,
}

impl Folded {
    /// Under which name it is found from now on.
    pub(super) fn add(&mut self, group: &GroupSample, evidence: Arc<Evidence>) -> Option<Arc<GroupName>> {
        let mut row = GroupRow::new(group, evidence);
        row.key = None;
        if self.rows.len() >= MAX_GROUPS && !self.rows.contains_key(&row.name) {
            (row.name, row.processes) = (None, None);
        }
        let name = row.name.clone();
        match self.rows.get_mut(&row.name) {
            Some(present) => present.absorb(&row),
            None => {
                self.rows.insert(row.name.clone(), row);
            }
        }
        name
    }

    pub(super) fn evidence_of(&mut self, name: Option<&Arc<GroupName>>) -> Option<&mut Arc<Evidence>> {
        self.rows.get_mut(&name.cloned()).map(|row| &mut row.evidence)
    }
}

/// Rows of all groups, those of ended processes folded. The most exchanges first.
pub(super) fn rows(
    live: &[GroupSample],
    mut folded: Folded,
    evidence: &HashMap<GroupKey, Arc<Evidence>>,
) -> Vec<GroupRow> {
    let mut groups = Vec::with_capacity(live.len());
    for group in live {
        let evidence = evidence.get(&group.key).cloned().unwrap_or_default();
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
    pub fn time_wait(&self) -> Option<u64> {
        let states = self.states.as_ref()?;
        Some(states.iter().filter(|state| state.state == TIME_WAIT).map(|state| state.sockets).sum())
    }

    /// No row was lost, nothing went untracked, and no skipped hook was left unrecovered.
    pub fn is_complete(&self) -> bool {
        self.loss.rows == 0 && self.are_counts_whole()
    }

    /// No count was lost: all of what happened is in the counters.
    fn are_counts_whole(&self) -> bool {
        let LossSample { counts, unrecovered_skips, .. } = self.loss;
        self.loss.connections() == 0 && counts == 0 && unrecovered_skips == 0
    }

    /// Whether the numbers of this pool are exact: nothing was lost, and its connections could stand in for each other.
    pub fn is_exact_pool(&self, pool: &Pool) -> bool {
        self.are_counts_whole() && pool.is_exact()
    }

    /// Nothing went untracked, and every connection can be counted exactly, also those without an exchange.
    pub fn is_exact(&self) -> bool {
        self.loss.connections() == 0 && self.loss.counts == 0 && self.totals.is_exact()
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
        key: None,
        runtime: None,
        cgroup: None,
        spoken: Spoken::default(),
        counts: Counts::default(),
        evidence: Arc::default(),
    };
    for group in groups.drain(most..) {
        rest.absorb(&group);
    }
    // The overflow row sorts last, so if there was one it is among those.
    groups.push(rest);
}
