//! The state of a watch: pure, without clock and I/O. It is fed events and samples, and gives snapshots of plain data.
//!
//! Totals come from the samples alone, which the kernel counts exactly; an event only names a connection for a person to
//! read. So a lost event costs a row and never a count.

mod advice;
mod counts;
mod diagnosis;
mod evidence;
mod family;
mod pool;
mod ports;
mod snapshot;
mod spoken;

use std::{collections::HashSet, sync::Arc};

pub use counts::Counts;
pub use diagnosis::{Confidence, Diagnosis, Finding};
pub use evidence::Ended;
use evidence::Evidence;
pub use family::{Family, families};
use foldhash::HashMap;
pub use pool::Pool;
pub use snapshot::{GroupName, GroupRow, Snapshot};
use spoken::Spoken;

use crate::model::{ConnectionKey, Event, GroupKey, GroupSample, LossSample, RowKind, Sample, SocketState};
use ports::Ports;
use snapshot::Folded;

/// An event with the number of its connection.
#[derive(Clone, Debug)]
pub struct Row {
    /// From 1 on, unique within the watch.
    pub id: u64,
    pub event: Event,
}

/// Something that the one who watches should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub kind: &'static str,
    pub message: String,
}

/// Stands for a time that is not known. (No Option: there are many of these.)
const NOT_KNOWN: i64 = i64::MIN;

/// A connection that has not ended.
#[derive(Clone, Copy, Debug)]
struct Open {
    id: u64,
    /// Nanoseconds since 1970; [`NOT_KNOWN`] if that row was lost, or the connection was there before.
    established_ns: i64,
}

/// Diagnoses that are said once each; later ones are in the summary only.
const MAX_DIAGNOSED: usize = 1000;

pub struct Tracker {
    started_unix_ns: i64,
    /// Connections that have not ended.
    open: HashMap<ConnectionKey, Open>,
    last_id: u64,
    max_connections: usize,
    /// Groups as last sampled, but for those that have ended.
    live: Vec<GroupSample>,
    /// What their connections have shown.
    evidence: HashMap<GroupKey, Arc<Evidence>>,
    /// What was said already.
    diagnosed: HashSet<(Option<Arc<GroupName>>, Finding)>,
    /// Groups that have ended, and the names of those that did in the last sample: a row may come later than the counters.
    folded: Folded,
    just_ended: HashMap<GroupKey, Option<Arc<GroupName>>>,
    loss: LossSample,
    states: Option<Vec<SocketState>>,
    ports: Ports,
}

impl Tracker {
    /// `max_connections`: how many the kernel side tracks at a time.
    pub fn new(started_unix_ns: i64, max_connections: usize) -> Self {
        Self {
            started_unix_ns,
            open: HashMap::default(),
            last_id: 0,
            max_connections,
            live: Vec::new(),
            evidence: HashMap::default(),
            diagnosed: HashSet::new(),
            folded: Folded::default(),
            just_ended: HashMap::default(),
            loss: LossSample::default(),
            states: None,
            ports: Ports::default(),
        }
    }

    /// Numbers the connection of an event.
    pub fn apply(&mut self, event: Event) -> Row {
        let ends = matches!(event.kind, RowKind::Close | RowKind::Failed);
        let known = if ends { self.open.remove(&event.key) } else { self.open.get(&event.key).copied() };
        let Open { id, established_ns } = known.unwrap_or_else(|| {
            self.last_id += 1;
            let established_ns = if event.kind == RowKind::Open { event.unix_ns } else { NOT_KNOWN };
            let open = Open { id: self.last_id, established_ns };
            if !ends {
                self.open.insert(event.key, open);
                self.forget_lost();
            }
            open
        });
        match event.kind {
            RowKind::Open => self.evidence_of(event.group).opened(&event.connection),
            RowKind::Close => {
                let established_ns = Some(established_ns).filter(|ns| *ns != NOT_KNOWN);
                self.evidence_of(event.group).closed(event.unix_ns, established_ns, &event.connection);
            }
            RowKind::Exchange | RowKind::Failed => {}
        }
        Row { id, event }
    }

    /// A snapshot may share what it was until now.
    fn evidence_of(&mut self, group: GroupKey) -> &mut Evidence {
        let folded = self.just_ended.get(&group).and_then(|name| self.folded.evidence_of(name.as_ref()));
        Arc::make_mut(folded.unwrap_or_else(|| self.evidence.entry(group).or_default()))
    }

    /// A close row that was lost leaves its number behind. The kernel tracks no more than `max_connections`, so when
    /// there are twice as many numbers, the older half is of connections that are over.
    fn forget_lost(&mut self) {
        if self.open.len() > 2 * self.max_connections {
            let mut ids: Vec<u64> = self.open.values().map(|open| open.id).collect();
            ids.sort_unstable();
            let oldest_kept = ids[ids.len() - self.max_connections];
            self.open.retain(|_, open| open.id >= oldest_kept);
        }
    }

    /// Takes in a sample; what it gives occasion to say.
    pub fn sample(&mut self, mut sample: Sample) -> Vec<Notice> {
        self.just_ended.clear();
        for group in sample.groups.extract_if(.., |group| group.ended) {
            let evidence = self.evidence.remove(&group.key).unwrap_or_default();
            let name = self.folded.add(&group, evidence);
            self.just_ended.insert(group.key, name);
        }
        // A row that comes still later leaves evidence behind that belongs to nothing any more.
        let before: HashSet<GroupKey> = self.live.iter().chain(&sample.groups).map(|group| group.key).collect();
        self.evidence.retain(|key, _| before.contains(key));
        self.live = sample.groups;
        let mut notices = Vec::new();
        if sample.loss.mptcp > 0 && self.loss.mptcp == 0 {
            let message = "MPTCP is not supported: such connections are in no count, only among the untracked".into();
            notices.push(Notice { kind: "unsupported", message });
        }
        self.loss = sample.loss;
        if let Some(listing) = sample.listing {
            notices.extend(self.ports.look(&listing.states, listing.local_ports));
            self.states = Some(listing.states);
        }
        notices
    }

    /// What has become certain since the last time.
    pub fn news(&mut self, snapshot: &Snapshot) -> Vec<Notice> {
        let mut notices = Vec::new();
        if self.diagnosed.len() == MAX_DIAGNOSED {
            return notices;
        }
        for row in &snapshot.groups {
            for Diagnosis { finding, evidence, advice, .. } in row.certainties() {
                if self.diagnosed.len() < MAX_DIAGNOSED && self.diagnosed.insert((row.name.clone(), finding)) {
                    let message = format!("{}: {evidence}. {advice}", row.title());
                    notices.push(Notice { kind: "diagnosis", message });
                }
            }
        }
        notices
    }

    pub fn snapshot(&self, now_unix_ns: i64) -> Snapshot {
        Snapshot::new(
            now_unix_ns - self.started_unix_ns,
            snapshot::rows(&self.live, self.folded.clone(), &self.evidence),
            self.loss,
            self.states.clone(),
        )
    }
}

#[cfg(test)]
mod tests;
