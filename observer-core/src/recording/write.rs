//! Encodes a recording: each record becomes the bytes of one line.

use std::collections::HashMap;

use serde::Serialize;

use super::format::{EventLine, Header, KeyRepr, Line, LossRepr, SampleLine};
use crate::{
    model::{Event, GroupKey, GroupSample, Listing, LossSample, Sample, SocketState, WatchInfo},
    tracker::Row,
};

/// Encodes records. It keeps the last sample, because the next one is encoded as the difference to it. Therefore every
/// encoded sample must be written.
#[derive(Debug, Default)]
pub struct Encoder {
    groups: HashMap<GroupKey, GroupSample>,
    loss: LossSample,
    /// Socket states in canonical order, and the number of local ports.
    listing: Option<(Vec<SocketState>, u64)>,
}

impl Encoder {
    /// Encodes the first line.
    pub fn header(&self, about: &WatchInfo, max_connections: u32) -> serde_json::Result<Vec<u8>> {
        encode_line(&Header::new(about, max_connections))
    }

    pub fn event(&self, row: &Row) -> serde_json::Result<Vec<u8>> {
        let Event { unix_ns, kind, group, .. } = row.event;
        let connection = row.event.connection.clone();
        encode_line(&Line::Event(EventLine { unix_ns, kind, id: row.id, group, connection }))
    }

    /// Encodes the changes since the last sample.
    pub fn sample(&mut self, unix_ns: i64, sample: &Sample) -> serde_json::Result<Vec<u8>> {
        encode_line(&Line::Sample(self.diff(unix_ns, sample)))
    }

    /// Encodes a sample in which nothing has changed but that counts were lost.
    pub fn lost_counts(&mut self, unix_ns: i64) -> serde_json::Result<Vec<u8>> {
        let groups = self.groups.values().cloned().collect();
        let loss = LossSample { counts: self.loss.counts + 1, ..self.loss };
        self.sample(unix_ns, &Sample { groups, loss, listing: None })
    }

    /// Encodes the last line.
    pub fn end(&self, unix_ns: i64) -> serde_json::Result<Vec<u8>> {
        encode_line(&Line::End { unix_ns })
    }

    fn diff(&mut self, unix_ns: i64, sample: &Sample) -> SampleLine {
        let mut previous = std::mem::take(&mut self.groups);
        let mut groups = Vec::new();
        for group in &sample.groups {
            if previous.remove(&group.key).as_ref() != Some(group) {
                groups.push(group.into());
            }
            if !group.ended {
                self.groups.insert(group.key, group.clone());
            }
        }
        let gone = previous.into_keys().map(KeyRepr).collect();
        let loss = (sample.loss != self.loss).then_some(LossRepr(sample.loss));
        self.loss = sample.loss;
        let listing = sample.listing.as_ref().filter(|listing| self.update_listing(listing)).map(Into::into);
        SampleLine { unix_ns, groups, gone, loss, listing }
    }

    /// Keeps the listing, and returns whether it differs from the last one in more than its order.
    fn update_listing(&mut self, listing: &Listing) -> bool {
        let mut states = listing.states.clone();
        states.sort_unstable_by_key(|state| (state.remote, state.port, state.local, state.state));
        let current = Some((states, listing.local_ports));
        let has_changed = current != self.listing;
        self.listing = current;
        has_changed
    }
}

fn encode_line(record: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(record)?;
    bytes.push(b'\n');
    Ok(bytes)
}
