//! The state of a watch. Pure: it has no clock and does no I/O. It takes events and samples, and returns snapshots.
//!
//! Totals come from samples alone, because their counters are exact. Events only add rows for people to read, so a lost
//! event costs a row and never a count.

mod family;
mod lookups;
mod ports;
mod snapshot;

use std::{collections::HashSet, sync::Arc};

use foldhash::HashMap;

use crate::{
    diagnosis::{Diagnosis, Finding},
    group::History,
    model::{ConnectionKey, Event, GroupKey, GroupSample, LossSample, RowKind, Sample, SocketState},
};
pub use family::{Family, families};
use ports::Ports;
use snapshot::{Folded, RowId};
pub use snapshot::{GroupName, GroupRow, Snapshot};

/// An event and the number of its connection.
#[derive(Clone, Debug)]
pub struct Row {
    /// Counts from 1, unique within the watch.
    pub id: u64,
    pub event: Event,
}

/// A message to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub kind: &'static str,
    pub message: String,
}

/// Stands for an unknown time. An Option would cost 8 bytes for each open connection.
const UNKNOWN_NS: i64 = i64::MIN;

/// An open connection.
#[derive(Clone, Copy, Debug)]
struct Open {
    id: u64,
    /// Nanoseconds since 1970. [`UNKNOWN_NS`] for a pre-existing connection, or if the row was lost.
    established_ns: i64,
}

/// Maximum number of diagnoses reported during a watch. Further ones are only in the summary.
const MAX_REPORTED: usize = 1000;

pub struct Tracker {
    started_unix_ns: i64,
    open: HashMap<ConnectionKey, Open>,
    last_id: u64,
    max_connections: usize,
    /// Groups of the last sample that have not ended.
    live: Vec<GroupSample>,
    histories: HashMap<GroupKey, Arc<History>>,
    reported: HashSet<(Option<Arc<GroupName>>, Finding)>,
    /// Ended and evicted groups by row. `just_ended` has the groups that ended in the last sample, because a row may arrive after
    /// the counters.
    folded: Folded,
    just_ended: HashMap<GroupKey, RowId>,
    loss: LossSample,
    states: Option<Vec<SocketState>>,
    ports: Ports,
}

impl Tracker {
    /// `max_connections`: the most that the kernel side tracks at once.
    pub fn new(started_unix_ns: i64, max_connections: usize) -> Self {
        Self {
            started_unix_ns,
            open: HashMap::default(),
            last_id: 0,
            max_connections,
            live: Vec::new(),
            histories: HashMap::default(),
            reported: HashSet::new(),
            folded: Folded::default(),
            just_ended: HashMap::default(),
            loss: LossSample::default(),
            states: None,
            ports: Ports::default(),
        }
    }

    /// Applies an event and numbers its connection.
    pub fn apply(&mut self, event: Event) -> Row {
        let ends = matches!(event.kind, RowKind::Close | RowKind::Failed);
        let known = if ends { self.open.remove(&event.key) } else { self.open.get(&event.key).copied() };
        let Open { id, established_ns } = known.unwrap_or_else(|| {
            self.last_id += 1;
            let established_ns = if event.kind == RowKind::Open { event.unix_ns } else { UNKNOWN_NS };
            let open = Open { id: self.last_id, established_ns };
            if !ends {
                self.open.insert(event.key, open);
                self.drop_stale();
            }
            open
        });
        match event.kind {
            RowKind::Open => self.history_of(event.group).opened(&event.connection),
            RowKind::Close => {
                let established_ns = Some(established_ns).filter(|ns| *ns != UNKNOWN_NS);
                self.history_of(event.group).closed(event.unix_ns, established_ns, &event.connection);
            }
            RowKind::Exchange | RowKind::Failed => {}
        }
        Row { id, event }
    }

    fn history_of(&mut self, group: GroupKey) -> &mut History {
        let folded = self.just_ended.get(&group).and_then(|row| self.folded.history_of(row));
        // Copied only if a snapshot still shares it.
        Arc::make_mut(folded.unwrap_or_else(|| self.histories.entry(group).or_default()))
    }

    /// A lost close row leaves its connection open here. The kernel tracks at most `max_connections`, so if twice as
    /// many are open, the older half must have closed.
    fn drop_stale(&mut self) {
        if self.open.len() > 2 * self.max_connections {
            let mut ids: Vec<u64> = self.open.values().map(|open| open.id).collect();
            ids.sort_unstable();
            let oldest_kept = ids[ids.len() - self.max_connections];
            self.open.retain(|_, open| open.id >= oldest_kept);
        }
    }

    /// Applies a sample and returns the notices that it triggers.
    pub fn sample(&mut self, mut sample: Sample) -> Vec<Notice> {
        self.just_ended.clear();
        for group in sample.groups.extract_if(.., |group| group.ended) {
            let history = self.histories.remove(&group.key).unwrap_or_default();
            let row = self.folded.add(&group, history);
            self.just_ended.insert(group.key, row);
        }
        // A row that arrives even later creates a history for a group that is gone. Remove it.
        let present: HashSet<GroupKey> = self.live.iter().chain(&sample.groups).map(|group| group.key).collect();
        self.histories.retain(|key, _| present.contains(key));
        self.live = sample.groups;
        let mut notices = Vec::new();
        if sample.loss.mptcp > 0 && self.loss.mptcp == 0 {
            let message = "MPTCP is not supported: such connections are in no count, only among the untracked".into();
            notices.push(Notice { kind: "unsupported", message });
        }
        notices.extend(lookups::notices(self.loss.lookups, sample.loss.lookups));
        self.loss = sample.loss;
        if let Some(listing) = sample.listing {
            notices.extend(self.ports.check(&listing));
            self.states = Some(listing.states);
        }
        notices
    }

    /// The diagnoses that have become certain since the last call, each with the name of its group.
    pub fn new_certainties(&mut self, snapshot: &Snapshot) -> Vec<(Option<Arc<GroupName>>, Diagnosis)> {
        let mut new = Vec::new();
        if self.reported.len() == MAX_REPORTED {
            return new;
        }
        for row in &snapshot.groups {
            for diagnosis in row.certain_diagnoses() {
                if self.reported.len() < MAX_REPORTED && self.reported.insert((row.name.clone(), diagnosis.finding())) {
                    new.push((row.name.clone(), diagnosis));
                }
            }
        }
        new
    }

    /// Marks the counts as incomplete: the counters could not be read to the end.
    pub fn lose_counts(&mut self) {
        self.loss.counts += 1;
    }

    pub fn snapshot(&self, now_unix_ns: i64) -> Snapshot {
        Snapshot::new(
            now_unix_ns - self.started_unix_ns,
            snapshot::rows(&self.live, self.folded.clone(), &self.histories),
            self.loss,
            self.states.clone(),
        )
    }
}

#[cfg(test)]
mod tests;
