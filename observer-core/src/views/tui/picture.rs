//! What is on the screen, as of one moment: freezing the screen is keeping one of these.

use super::{
    baseline::Baseline, connections::Connections, history::History, journal::Journal, part::Part, rates::Rates,
};
use crate::group::Counts;
use crate::tracker::{Family, GroupRow, Snapshot, families};

#[derive(Clone)]
pub(super) struct Picture {
    /// Its groups are in the families.
    pub(super) snapshot: Snapshot,
    pub(super) families: Vec<Family>,
    pub(super) history: History,
    pub(super) rates: Rates,
    pub(super) connections: Connections,
    pub(super) journal: Journal,
    /// Nanoseconds since 1970.
    pub(super) started_unix_ns: i64,
}

impl Picture {
    pub(super) fn new(started_unix_ns: i64) -> Self {
        Self {
            snapshot: Snapshot::default(),
            families: Vec::new(),
            history: History::default(),
            rates: Rates::default(),
            connections: Connections::default(),
            journal: Journal::default(),
            started_unix_ns,
        }
    }

    /// Takes from a snapshot what is told over time, and leaves the rest as it is.
    pub(super) fn skip(&mut self, snapshot: &Snapshot) {
        self.history.add(snapshot.duration_us, snapshot.totals.new, snapshot.totals.reused);
        self.rates.look(snapshot.duration_us, &snapshot.groups);
    }

    pub(super) fn take(&mut self, mut snapshot: Snapshot) {
        self.skip(&snapshot);
        self.rates.tell_of(snapshot.duration_us);
        // Both of them would be a lot, and the room of one is there for the next.
        self.families = Vec::new();
        self.families = families(std::mem::take(&mut snapshot.groups));
        if snapshot.loss.rows > 0 {
            self.connections.forget_lost(self.families.iter().flat_map(Family::parts));
        }
        self.snapshot = snapshot;
    }

    /// Nanoseconds since 1970.
    pub(super) fn now_unix_ns(&self) -> i64 {
        self.started_unix_ns.saturating_add((self.snapshot.duration_us * 1000).cast_signed())
    }

    pub(super) fn totals(&self, baseline: Option<&Baseline>) -> Counts {
        baseline.map_or(self.snapshot.totals, |baseline| self.snapshot.totals.since(&baseline.totals))
    }

    /// The whole of a family, or one of its members.
    pub(super) fn part<'a>(
        &'a self,
        family: &'a Family,
        member: Option<&'a GroupRow>,
        baseline: Option<&Baseline>,
    ) -> Part<'a> {
        let row = member.unwrap_or(&family.whole);
        let counts = match (baseline, member) {
            (None, _) => row.counts,
            (Some(baseline), None) => baseline.whole(family),
            (Some(baseline), Some(member)) => baseline.part(family, member),
        };
        let members = if member.is_none() { family.members.len() } else { 0 };
        Part { row, counts, rates: &self.rates, is_member: member.is_some(), members }
    }
}
