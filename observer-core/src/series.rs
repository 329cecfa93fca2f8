//! Time series of a watch, for metrics: pure like the tracker, fed the same samples.
//!
//! The tracker folds groups and shows what is; a series may never go down, or a reader takes it for a restart. So this
//! adds up how much each group's counters grew from sample to sample, whatever becomes of the group. There is room for
//! so many label sets, the first that come; what has none is counted in one of its own. A set that is over leaves and is
//! added to nothing: `rate()` would see its counts a second time. When it comes again it begins at 0, as after a restart.
//! It is over when a sample has nothing of it: one that leaves and comes in the same sample would only go down.

mod label;
mod scrape;
mod tally;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    time::Duration,
};

pub use label::{Label, LabelSet};
pub use scrape::{Lost, Scrape, Set};
pub use tally::Tally;

use crate::model::{GroupKey, ProgramSample, Sample, SocketState, TIME_WAIT};
use tally::open;

/// Label sets without room that are told apart, to say how many there are; past it they are not counted, only their counts.
const MOST_WITHOUT_ROOM: usize = 10_000;

/// What is kept apart, and for how long.
#[derive(Clone, Debug)]
pub struct Bounds {
    pub labels: Vec<Label>,
    /// Label sets, without the one of those that have no room.
    pub most_sets: usize,
    /// How long a label set stays that has nothing to show.
    pub expiry: Duration,
}

pub struct Series {
    bounds: Bounds,
    /// What has been counted of each of the kernel's groups; as many as these.
    groups: HashMap<GroupKey, Tally>,
    sets: BTreeMap<LabelSet, Kept>,
    overflow: Option<Set>,
    /// Label sets that are counted in `overflow`, and when they last were.
    without_room: HashMap<LabelSet, i64>,
    host: Tally,
    time_wait: Option<Vec<(Option<LabelSet>, u64)>>,
}

struct Kept {
    set: Set,
    /// When it last counted something, or had an open connection.
    seen_unix_ns: i64,
}

impl Series {
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            groups: HashMap::new(),
            sets: BTreeMap::new(),
            overflow: None,
            without_room: HashMap::new(),
            host: Tally::default(),
            time_wait: None,
        }
    }

    pub fn sample(&mut self, unix_ns: i64, sample: &Sample) {
        // Gauges begin anew at each sample.
        self.sets.values_mut().map(|kept| &mut kept.set).chain(&mut self.overflow).for_each(|set| set.open = 0);
        for group in &sample.groups {
            let growth = self.groups.entry(group.key).or_default().grow_to(&Tally::settled(&group.counters));
            if group.ended {
                self.groups.remove(&group.key);
            }
            let open = if group.ended { 0 } else { open(&group.counters) };
            self.host.add(&growth);
            if open == 0 && growth == Tally::default() {
                continue;
            }
            let set = self.set(LabelSet::of_group(group, &self.bounds.labels), unix_ns);
            set.tally.add(&growth);
            set.open += open;
        }
        self.expire(unix_ns);
        if let Some(listing) = &sample.listing {
            self.time_wait = Some(self.waiting(&listing.states));
        }
    }

    /// Where these labels are counted, from now on.
    fn set(&mut self, labels: Option<LabelSet>, unix_ns: i64) -> &mut Set {
        match labels {
            Some(labels) if self.sets.contains_key(&labels) || self.sets.len() < self.bounds.most_sets => {
                self.without_room.remove(&labels);
                let kept = self.sets.entry(labels).or_insert(Kept { set: Set::default(), seen_unix_ns: unix_ns });
                kept.seen_unix_ns = unix_ns;
                &mut kept.set
            }
            other => {
                let is_told_apart = |labels: &LabelSet| {
                    self.without_room.len() < MOST_WITHOUT_ROOM || self.without_room.contains_key(labels)
                };
                if let Some(labels) = other.filter(is_told_apart) {
                    self.without_room.insert(labels, unix_ns);
                }
                self.overflow.get_or_insert_default()
            }
        }
    }

    /// What was not seen for so long leaves.
    fn expire(&mut self, unix_ns: i64) {
        let expiry_ns = i64::try_from(self.bounds.expiry.as_nanos()).unwrap_or(i64::MAX);
        let stays = |seen_unix_ns: i64| unix_ns.saturating_sub(seen_unix_ns) < expiry_ns;
        self.sets.retain(|_, kept| stays(kept.seen_unix_ns));
        self.without_room.retain(|_, seen_unix_ns| stays(*seen_unix_ns));
    }

    /// Sockets in TIME_WAIT by destination: those that have the most, and the others together.
    fn waiting(&self, states: &[SocketState]) -> Vec<(Option<LabelSet>, u64)> {
        let mut sockets: BTreeMap<LabelSet, u64> = BTreeMap::new();
        for state in states.iter().filter(|state| state.state == TIME_WAIT) {
            *sockets.entry(LabelSet::of_state(state, &self.bounds.labels)).or_default() += state.sockets;
        }
        let mut sockets: Vec<(Option<LabelSet>, u64)> = sockets.into_iter().map(|(set, n)| (Some(set), n)).collect();
        if sockets.len() > self.bounds.most_sets {
            sockets.sort_by_key(|(_, n)| Reverse(*n));
            let rest: u64 = sockets.drain(self.bounds.most_sets..).map(|(_, n)| n).sum();
            sockets.push((None, rest));
        }
        sockets
    }

    pub fn scrape(&self, lost: Lost, programs: Vec<ProgramSample>) -> Scrape {
        let sets = self.sets.iter().map(|(labels, kept)| (Some(labels.clone()), kept.set));
        Scrape {
            sets: sets.chain(self.overflow.map(|set| (None, set))).collect(),
            host: self.host,
            time_wait: self.time_wait.clone(),
            overflowed: self.without_room.len() as u64,
            lost,
            programs,
        }
    }
}

#[cfg(test)]
mod tests;
