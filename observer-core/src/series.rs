//! The time series of a watch for Prometheus. Like the tracker it is pure, and it receives the same samples.
//!
//! The tracker's snapshot cannot serve as the source: it folds ended groups together, while a counter must never
//! decrease, or Prometheus takes it for a restart. Therefore [`Series`] adds each group's increases from sample to
//! sample to the counters of its label set, and these outlive the group.
//!
//! The number of label sets is bounded. They are admitted first come, first served, up to a share of each user, and later
//! ones are counted together in one overflow set. A label set expires when it has been inactive for a configured time. Its counts are not moved to another set,
//! because `rate()` would count them twice. If it returns, it starts at 0, as after a restart. A set that returns in
//! the very sample in which it would expire stays, because to a scraper its counters would only decrease.

mod counters;
mod label;
mod scrape;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    time::Duration,
};

pub use counters::Counters;
pub use label::{Label, LabelSet};
pub use scrape::{LocalPorts, Losses, Scrape, Values};

use crate::model::{GroupKey, Listing, ProgramSample, Sample, SocketState, TIME_WAIT};
use counters::open_connections;

/// Overflowed label sets that are remembered in order to report their number. Beyond this, they are counted in the
/// overflow set as before but no longer included in that number.
const MAX_OVERFLOWED: usize = 10_000;

/// Which label sets exist, and for how long.
#[derive(Clone, Debug)]
pub struct SeriesConfig {
    pub labels: Vec<Label>,
    /// Maximum number of label sets, not counting the overflow set.
    pub max_label_sets: usize,
    /// How long an inactive label set is kept.
    pub expiry: Duration,
}

pub struct Series {
    config: SeriesConfig,
    /// The counters so far of each of the kernel's current groups.
    groups: HashMap<GroupKey, Counters>,
    sets: BTreeMap<LabelSet, Entry>,
    /// Number of label sets of each user.
    users: HashMap<u32, usize>,
    overflow: Option<Values>,
    /// Label sets counted in `overflow`, and when each last was.
    overflowed: HashMap<LabelSet, i64>,
    host: Counters,
    time_wait: Option<Vec<(Option<LabelSet>, u64)>>,
    local_ports: Option<LocalPorts>,
}

struct Entry {
    values: Values,
    /// Whose connection was the first in it. None if unknown, as in old recordings.
    user: Option<u32>,
    /// When a counter last increased or a connection was open.
    last_active_unix_ns: i64,
}

impl Series {
    pub fn new(config: SeriesConfig) -> Self {
        Self {
            config,
            groups: HashMap::new(),
            sets: BTreeMap::new(),
            users: HashMap::new(),
            overflow: None,
            overflowed: HashMap::new(),
            host: Counters::default(),
            time_wait: None,
            local_ports: None,
        }
    }

    /// Adds a sample's increases to the counters, and sets the gauges.
    pub fn sample(&mut self, unix_ns: i64, sample: &Sample) {
        self.sets.values_mut().map(|entry| &mut entry.values).chain(&mut self.overflow).for_each(|set| set.open = 0);
        for group in &sample.groups {
            let increase = self.groups.entry(group.key).or_default().increase_to(&Counters::settled(&group.counters));
            if group.ended {
                self.groups.remove(&group.key);
            }
            let open = if group.ended { 0 } else { open_connections(&group.counters) };
            self.host.add(&increase);
            if open == 0 && increase == Counters::default() {
                continue;
            }
            let labels = LabelSet::from_group(group, &self.config.labels);
            let values = self.values_mut(labels, group.counters.uid(), unix_ns);
            values.counters.add(&increase);
            values.open += open;
        }
        self.expire(unix_ns);
        if let Some(listing) = &sample.listing {
            self.time_wait = Some(self.time_wait_sockets(&listing.states));
            self.local_ports = Some(LocalPorts { available: listing.local_ports, taken: self.taken_ports(listing) });
        }
    }

    /// The values of this label set, marked as active now; those of the overflow set if no more label sets of this user
    /// are admitted.
    fn values_mut(&mut self, labels: Option<LabelSet>, user: Option<u32>, unix_ns: i64) -> &mut Values {
        match labels {
            Some(labels) if self.sets.contains_key(&labels) || self.has_room(user) => {
                self.overflowed.remove(&labels);
                let entry = self.sets.entry(labels).or_insert_with(|| {
                    if let Some(user) = user {
                        *self.users.entry(user).or_default() += 1;
                    }
                    Entry { values: Values::default(), user, last_active_unix_ns: unix_ns }
                });
                entry.last_active_unix_ns = unix_ns;
                &mut entry.values
            }
            other => {
                let is_remembered =
                    |labels: &LabelSet| self.overflowed.len() < MAX_OVERFLOWED || self.overflowed.contains_key(labels);
                if let Some(labels) = other.filter(is_remembered) {
                    self.overflowed.insert(labels, unix_ns);
                }
                self.overflow.get_or_insert_default()
            }
        }
    }

    /// Whether another label set of this user is admitted. A user may have three quarters of them, so nobody who invents
    /// process names takes the room of all others.
    fn has_room(&self, user: Option<u32>) -> bool {
        let most = self.config.max_label_sets;
        let sets = user.and_then(|user| self.users.get(&user)).copied().unwrap_or(0);
        self.sets.len() < most && sets < (most * 3).div_ceil(4)
    }

    /// Removes label sets that have been inactive for the expiry time.
    fn expire(&mut self, unix_ns: i64) {
        let expiry_ns = i64::try_from(self.config.expiry.as_nanos()).unwrap_or(i64::MAX);
        let is_current = |last_active_unix_ns: i64| unix_ns.saturating_sub(last_active_unix_ns) < expiry_ns;
        let expired = self.sets.extract_if(.., |_, entry| !is_current(entry.last_active_unix_ns));
        for user in expired.filter_map(|(_, entry)| entry.user) {
            if let Some(sets) = self.users.get_mut(&user) {
                *sets -= 1;
            }
        }
        self.users.retain(|_, sets| *sets > 0);
        self.overflowed.retain(|_, last_active_unix_ns| is_current(*last_active_unix_ns));
    }

    /// Sockets in TIME_WAIT by destination.
    fn time_wait_sockets(&self, states: &[SocketState]) -> Vec<(Option<LabelSet>, u64)> {
        let waiting = states.iter().filter(|state| state.state == TIME_WAIT);
        self.by_destination(waiting.map(|state| (state.remote, state.port, state.sockets)), |a, b| a + b)
    }

    /// Local ports taken by destination: those of the source address that has the most sockets to it.
    fn taken_ports(&self, listing: &Listing) -> Vec<(Option<LabelSet>, u64)> {
        let taken = listing.sockets_by_port_space().into_iter().map(|(space, n)| (space.remote, space.port, n));
        self.by_destination(taken, u64::max)
    }

    /// Merges numbers of destinations by their labels. If there are too many label sets, those with the highest numbers
    /// are kept and the others merged.
    fn by_destination(
        &self,
        numbers: impl Iterator<Item = (IpAddr, u16, u64)>,
        merge: fn(u64, u64) -> u64,
    ) -> Vec<(Option<LabelSet>, u64)> {
        let mut sets: BTreeMap<LabelSet, u64> = BTreeMap::new();
        for (remote, port, n) in numbers {
            let merged = sets.entry(LabelSet::from_destination(remote, port, &self.config.labels)).or_default();
            *merged = merge(*merged, n);
        }
        let mut sets: Vec<(Option<LabelSet>, u64)> = sets.into_iter().map(|(set, n)| (Some(set), n)).collect();
        if sets.len() > self.config.max_label_sets {
            sets.sort_by_key(|(_, n)| Reverse(*n));
            let rest = sets.drain(self.config.max_label_sets..).map(|(_, n)| n).fold(0, merge);
            sets.push((None, rest));
        }
        sets
    }

    pub fn scrape(&self, losses: Losses, programs: Vec<ProgramSample>) -> Scrape {
        let sets = self.sets.iter().map(|(labels, entry)| (Some(labels.clone()), entry.values));
        Scrape {
            sets: sets.chain(self.overflow.map(|values| (None, values))).collect(),
            host: self.host,
            time_wait: self.time_wait.clone(),
            local_ports: self.local_ports.clone(),
            overflowed: self.overflowed.len() as u64,
            losses,
            programs,
        }
    }
}

#[cfg(test)]
mod tests;
