//! Everything the screen shows of one moment. Freezing the screen keeps a copy of it.

use super::{
    baseline::Baseline, connect_rates::ConnectRates, connections::OpenConnections, journal::Journal,
    table_row::TableRow, timeline::Timeline,
};
use crate::{
    group::Counts,
    tracker::{Family, GroupRow, Snapshot, families},
};

#[derive(Clone)]
pub(crate) struct Picture {
    /// Without its groups, which are in the families.
    pub(crate) snapshot: Snapshot,
    pub(crate) families: Vec<Family>,
    pub(crate) timeline: Timeline,
    pub(crate) rates: ConnectRates,
    pub(crate) connections: OpenConnections,
    pub(crate) journal: Journal,
    /// Nanoseconds since 1970.
    started_unix_ns: i64,
}

impl Picture {
    pub(crate) fn new(started_unix_ns: i64) -> Self {
        Self {
            snapshot: Snapshot::default(),
            families: Vec::new(),
            timeline: Timeline::default(),
            rates: ConnectRates::default(),
            connections: OpenConnections::default(),
            journal: Journal::default(),
            started_unix_ns,
        }
    }

    /// Adds a snapshot to the timeline and the rates only.
    pub(crate) fn skip(&mut self, snapshot: &Snapshot) {
        self.timeline.add(snapshot.duration_us, snapshot.totals.new, snapshot.totals.reused);
        self.rates.record(snapshot.duration_us, &snapshot.groups);
    }

    pub(crate) fn apply(&mut self, mut snapshot: Snapshot) {
        self.skip(&snapshot);
        self.rates.advance_to(snapshot.duration_us);
        // Frees the old families before the new ones are made: both together would double the memory.
        self.families = Vec::new();
        self.families = families(std::mem::take(&mut snapshot.groups));
        if snapshot.loss.rows > 0 {
            self.connections.forget_lost(self.families.iter().flat_map(Family::parts));
        }
        self.snapshot = snapshot;
    }

    /// Nanoseconds since 1970.
    pub(crate) fn now_unix_ns(&self) -> i64 {
        self.started_unix_ns.saturating_add((self.snapshot.duration_us * 1000).cast_signed())
    }

    pub(crate) fn totals(&self, baseline: Option<&Baseline>) -> Counts {
        baseline.map_or(self.snapshot.totals, |baseline| self.snapshot.totals.since(&baseline.totals))
    }

    /// The row of a family, or of one of its members.
    pub(crate) fn table_row<'a>(
        &'a self,
        family: &'a Family,
        member: Option<&'a GroupRow>,
        baseline: Option<&Baseline>,
    ) -> TableRow<'a> {
        let group = member.unwrap_or(&family.whole);
        let counts = match (baseline, member) {
            (None, _) => group.counts,
            (Some(baseline), None) => baseline.whole_since(family),
            (Some(baseline), Some(member)) => baseline.member_since(family, member),
        };
        let members = if member.is_none() { family.members.len() } else { 0 };
        TableRow { group, counts, rates: &self.rates, is_member: member.is_some(), members }
    }
}
