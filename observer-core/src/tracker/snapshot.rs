//! A watch at one moment, as plain data for the views.

use std::{cmp::Reverse, net::IpAddr, sync::Arc};

use compact_str::CompactString;
use foldhash::HashMap;

use crate::{
    diagnosis::{Diagnosis, Subject, certain_diagnoses, diagnose},
    group::{Counts, GroupApplication, History, Pool},
    model::{GroupKey, GroupSample, LossSample, SocketState, TIME_WAIT, ip_address, process_name},
    runtime::Runtime,
};

/// Maximum number of rows. Further ones are merged into one, so no view grows without bound.
const MAX_GROUPS: usize = 10_000;

/// The groups always add up to the totals.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub duration_us: u64,
    pub totals: Counts,
    pub loss: LossSample,
    /// Sockets by destination and state. None if they cannot be listed.
    pub states: Option<Vec<SocketState>>,
    /// Groups with the most exchanges come first.
    pub groups: Vec<GroupRow>,
}

/// A process and a destination; or ended processes of one name and a destination; or the overflow row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    /// None for an overflow row, which has many processes and destinations.
    pub name: Option<Arc<GroupName>>,
    /// The id of the user whose processes they are. None if unknown, or if the processes differ.
    pub user: Option<u32>,
    /// The number of processes. None: unknown.
    pub processes: Option<u64>,
    /// None for the kernel and for several processes.
    pub pid: Option<u32>,
    /// The kernel's key while the process runs. None for several processes.
    pub key: Option<GroupKey>,
    /// None if unknown, `Runtime::Unknown` if the processes differ.
    pub runtime: Option<Runtime>,
    /// The container or the systemd unit, else the path of the cgroup. None if unknown, or if the processes differ.
    pub cgroup: Option<Arc<str>>,
    pub spoken: GroupApplication,
    pub counts: Counts,
    pub history: Arc<History>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupName {
    /// None: unknown.
    pub process: Option<CompactString>,
    pub remote: IpAddr,
    pub port: u16,
}

impl GroupRow {
    fn new(group: &GroupSample, history: Arc<History>) -> Self {
        let GroupKey { tgid, addr, port, .. } = group.key;
        let is_overflow = group.key.is_overflow() || group.evicted;
        Self {
            name: (!is_overflow).then(|| {
                let process = process_name(group.counters.comm);
                Arc::new(GroupName { process, remote: ip_address(addr), port })
            }),
            user: group.counters.uid(),
            processes: (!is_overflow).then_some(1),
            pid: (!is_overflow && tgid > 0).then_some(tgid),
            key: Some(group.key),
            runtime: group.runtime,
            cgroup: group.cgroup.clone(),
            spoken: GroupApplication::of(group.counters.application),
            counts: Counts::from(&group.counters),
            history,
        }
    }

    /// Why its connections were not reused: problems first, then by confidence.
    pub fn diagnoses(&self) -> Vec<Diagnosis> {
        self.subject().map_or_else(Vec::new, diagnose)
    }

    /// The certain diagnoses among them. Cheap if there are none.
    pub(super) fn certain_diagnoses(&self) -> impl Iterator<Item = Diagnosis> {
        self.subject().into_iter().flat_map(certain_diagnoses)
    }

    /// None for an overflow row: what many processes did with many destinations shows no habit of any.
    fn subject(&self) -> Option<Subject<'_>> {
        let Self { name, counts, history, runtime, processes, spoken, .. } = self;
        name.as_ref()?;
        Some(Subject { counts, history, runtime: *runtime, processes: *processes, spoken: *spoken })
    }

    fn id(&self) -> RowId {
        (self.name.clone(), self.user.filter(|_| self.name.is_none()))
    }

    /// Adds another row, under the same name or another.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.processes = self.processes.zip(other.processes).map(|(a, b)| a + b);
        (self.pid, self.key) = (None, None);
        if self.user != other.user {
            self.user = None;
        }
        self.runtime = match (self.runtime, other.runtime) {
            (Some(one), Some(another)) if one != another => Some(Runtime::Unknown),
            (one, another) => one.or(another),
        };
        if self.cgroup != other.cgroup {
            self.cgroup = None;
        }
        self.spoken = self.spoken.and(other.spoken);
        self.counts += other.counts;
        Arc::make_mut(&mut self.history).absorb(&other.history);
    }
}

/// The name of a row. An overflow row has none, and the user whose connections it counts, if it is one user's.
pub(super) type RowId = (Option<Arc<GroupName>>, Option<u32>);

/// Groups of ended processes, merged by name and destination, and the overflow rows. Bounded.
#[derive(Clone, Debug, Default)]
pub(super) struct Folded {
    rows: HashMap<RowId, GroupRow>,
}

impl Folded {
    /// Returns the row to which the group was added.
    pub(super) fn add(&mut self, group: &GroupSample, history: Arc<History>) -> RowId {
        let mut row = GroupRow::new(group, history);
        row.key = None;
        if self.rows.len() >= MAX_GROUPS && !self.rows.contains_key(&row.id()) {
            (row.name, row.user, row.processes) = (None, None, None);
        }
        let id = row.id();
        match self.rows.get_mut(&id) {
            Some(present) => present.absorb(&row),
            None => {
                self.rows.insert(id.clone(), row);
            }
        }
        id
    }

    pub(super) fn history_of(&mut self, id: &RowId) -> Option<&mut Arc<History>> {
        self.rows.get_mut(id).map(|row| &mut row.history)
    }
}

/// The rows of all groups, with ended processes merged. Rows with the most exchanges come first.
pub(super) fn rows(
    live: &[GroupSample],
    mut folded: Folded,
    histories: &HashMap<GroupKey, Arc<History>>,
) -> Vec<GroupRow> {
    let mut groups = Vec::with_capacity(live.len());
    for group in live {
        let history = histories.get(&group.key).cloned().unwrap_or_default();
        if group.process_ended || group.key.is_overflow() {
            folded.add(group, history);
        } else {
            groups.push(GroupRow::new(group, history));
        }
    }
    groups.extend(folded.rows.into_values());
    groups.retain(|group| !group.counts.is_empty());
    groups.sort_by_cached_key(|group| {
        let Counts { opened, .. } = group.counts;
        (group.name.is_none(), Reverse((group.counts.exchanges(), opened)), group.id(), group.pid)
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

    /// Sockets in TIME_WAIT: this side closed first, and the kernel holds their ports for a minute.
    pub fn time_wait(&self) -> Option<u64> {
        let states = self.states.as_ref()?;
        Some(states.iter().filter(|state| state.state == TIME_WAIT).map(|state| state.sockets).sum())
    }

    /// Whether no row was lost, no connection went untracked, no listing left out a socket, and no skipped hook was left
    /// unrecovered.
    pub fn is_complete(&self) -> bool {
        self.loss.rows == 0 && self.loss.unlisted == 0 && self.are_counts_complete()
    }

    /// Whether no count of connections was lost.
    pub fn are_counts_complete(&self) -> bool {
        let LossSample { counts, unrecovered_skips, ownerless, unfollowed, .. } = self.loss;
        self.loss.connections() + counts + unrecovered_skips + ownerless + unfollowed == 0
    }

    /// Whether the numbers of this pool are exact: no count was lost, and its connections are interchangeable.
    pub fn is_exact_pool(&self, pool: &Pool) -> bool {
        self.are_counts_complete() && pool.is_exact()
    }

    /// Whether the share of exchanges on reused connections is exact.
    pub fn is_exact_ratio(&self) -> bool {
        self.loss.connections() + self.loss.counts + self.loss.unfollowed == 0 && self.totals.is_exact()
    }

    /// Whether no connection went untracked, each can be counted exactly, and no listing left out a socket.
    pub fn is_exact(&self) -> bool {
        let LossSample { counts, unlisted, ownerless, unfollowed, .. } = self.loss;
        self.loss.connections() + counts + unlisted + ownerless + unfollowed == 0 && self.totals.is_exact()
    }
}

/// Merges the rows beyond `most` into an overflow row.
fn merge_beyond(groups: &mut Vec<GroupRow>, most: usize) {
    if groups.len() <= most {
        return;
    }
    let mut rest = GroupRow {
        name: None,
        user: None,
        processes: None,
        pid: None,
        key: None,
        runtime: None,
        cgroup: None,
        spoken: GroupApplication::default(),
        counts: Counts::default(),
        history: Arc::default(),
    };
    for group in groups.drain(most..) {
        rest.absorb(&group);
    }
    // An overflow row sorts last, so it was among the merged rows.
    groups.push(rest);
}
