//! Writing a recording: each record as the bytes of its line.

use std::collections::HashMap;

use serde::Serialize;

use super::format::{EventLine, Header, KeyLine, Line, LossLine, SampleLine};
use crate::{
    model::{About, Event, GroupKey, GroupSample, Listing, LossSample, Sample, SocketState},
    tracker::Row,
};

/// Encodes records. It remembers the last sample, because the next one is written as a difference to it: a sample that
/// was encoded must be written.
#[derive(Debug, Default)]
pub struct Encoder {
    groups: HashMap<GroupKey, GroupSample>,
    loss: LossSample,
    /// Socket states in a canonical order, and the number of local ports.
    listing: Option<(Vec<SocketState>, u64)>,
}

impl Encoder {
    /// The first line.
    pub fn header(&self, about: &About, max_connections: u32) -> serde_json::Result<Vec<u8>> {
        line(&Header::new(about, max_connections))
    }

    pub fn event(&self, row: &Row) -> serde_json::Result<Vec<u8>> {
        let Event { unix_ns, kind, group, .. } = row.event;
        let connection = row.event.connection.clone();
        line(&Line::Event(EventLine { unix_ns, kind, id: row.id, group, connection }))
    }

    /// Writes only what changed since the last sample.
    pub fn sample(&mut self, unix_ns: i64, sample: &Sample) -> serde_json::Result<Vec<u8>> {
        line(&Line::Sample(self.difference(unix_ns, sample)))
    }

    /// The last line.
    pub fn end(&self, unix_ns: i64) -> serde_json::Result<Vec<u8>> {
        line(&Line::End { unix_ns })
    }

    fn difference(&mut self, unix_ns: i64, sample: &Sample) -> SampleLine {
        let mut before = std::mem::take(&mut self.groups);
        let mut groups = Vec::new();
        for group in &sample.groups {
            if before.remove(&group.key).as_ref() != Some(group) {
                groups.push(group.into());
            }
            if !group.ended {
                self.groups.insert(group.key, group.clone());
            }
        }
        let gone = before.into_keys().map(KeyLine).collect();
        let loss = (sample.loss != self.loss).then_some(LossLine(sample.loss));
        self.loss = sample.loss;
        let listing = sample.listing.as_ref().filter(|listing| self.is_new(listing)).map(Into::into);
        SampleLine { unix_ns, groups, gone, loss, listing }
    }

    /// Whether the listing differs from the last one in more than its order.
    fn is_new(&mut self, listing: &Listing) -> bool {
        let mut states = listing.states.clone();
        states.sort_unstable_by_key(|state| (state.remote, state.port, state.state));
        let now = Some((states, listing.local_ports));
        let is_new = now != self.listing;
        self.listing = now;
        is_new
    }
}

fn line(record: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(record)?;
    bytes.push(b'\n');
    Ok(bytes)
}
