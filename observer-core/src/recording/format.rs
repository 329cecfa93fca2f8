//! The file format: one JSON object per line. The first line is a header, then come the tracker's events and samples in
//! order, and the last line marks the end.
//!
//! A sample is stored as the difference to the previous one: the groups that changed, the keys of those that
//! disappeared, and the losses and the listing of sockets if they changed. Otherwise a watch over 10,000 groups would
//! write all of them every second.
//!
//! Readers ignore fields that they do not know, and read an absent field as zero, unknown or unchanged. Therefore
//! counters and fields can be added within a format version, and the compiler demands an entry in `format/` for each of
//! them. Enumerations are written by name. A recording contains no kernel address: connections are identified by
//! number.

mod connection;
mod group;

use serde::{Deserialize, Serialize};

use crate::{
    model::{
        Connection, Filters, GroupCounters, GroupKey, GroupSample, Listing, LossSample, RowKind, SocketState, WatchInfo,
    },
    runtime::Runtime,
};
use connection::{ConnectionDef, RowKindDef};
use group::{GroupCountersDef, GroupKeyDef, LossSampleDef, SocketStateDef};

/// The format version that is written, and the newest that can be read.
pub(super) const FORMAT: u32 = 1;

/// The fields that the first line has in every format version.
#[derive(Deserialize)]
pub(super) struct Version {
    pub(super) recording: u32,
    /// Version of the program that wrote the recording.
    #[serde(default)]
    pub(super) version: String,
}

/// The first line: the description of the watch.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Header {
    recording: u32,
    pub(super) version: String,
    kernel: String,
    hooks: Vec<String>,
    hooks_not_taken: Vec<String>,
    ports: Vec<String>,
    filters: Vec<String>,
    filters_by_kind: Option<Filters>,
    pre_existing: u64,
    pub(super) started_unix_ns: i64,
    /// Maximum number of connections that the kernel side tracked at a time.
    pub(super) max_connections: u32,
}

impl Header {
    pub(super) fn new(about: &WatchInfo, max_connections: u32) -> Self {
        Self {
            recording: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            kernel: about.kernel.clone(),
            hooks: about.hooks.clone(),
            hooks_not_taken: about.hooks_not_taken.clone(),
            ports: about.ports.clone(),
            filters: about.filters.clone(),
            filters_by_kind: about.filters_by_kind.clone(),
            pre_existing: about.pre_existing,
            started_unix_ns: about.started_unix_ns,
            max_connections,
        }
    }

    pub(super) fn about(&self) -> WatchInfo {
        WatchInfo {
            hooks: self.hooks.clone(),
            hooks_not_taken: self.hooks_not_taken.clone(),
            kernel: self.kernel.clone(),
            ports: self.ports.clone(),
            filters: self.filters.clone(),
            filters_by_kind: self.filters_by_kind.clone(),
            pre_existing: self.pre_existing,
            started_unix_ns: self.started_unix_ns,
        }
    }
}

/// Any other line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line {
    Event(EventLine),
    Sample(SampleLine),
    /// The watch ended cleanly. A recording without this line is truncated.
    End {
        unix_ns: i64,
    },
}

#[derive(Serialize, Deserialize)]
pub(super) struct EventLine {
    pub(super) unix_ns: i64,
    #[serde(with = "RowKindDef")]
    pub(super) kind: RowKind,
    /// The connection's number, assigned by the tracker.
    pub(super) id: u64,
    #[serde(default, with = "GroupKeyDef")]
    pub(super) group: GroupKey,
    #[serde(with = "ConnectionDef")]
    pub(super) connection: Connection,
}

#[derive(Default, Serialize, Deserialize)]
pub(super) struct SampleLine {
    pub(super) unix_ns: i64,
    /// New, changed and ended groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) groups: Vec<GroupRepr>,
    /// Groups of the previous sample that are missing from this one without having ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) gone: Vec<KeyRepr>,
    /// Absent if unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) loss: Option<LossRepr>,
    /// Absent if unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) listing: Option<ListingRepr>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct GroupRepr {
    #[serde(with = "GroupKeyDef")]
    key: GroupKey,
    #[serde(with = "GroupCountersDef")]
    counters: GroupCounters,
    #[serde(default, skip_serializing_if = "is_false")]
    ended: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    process_ended: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    evicted: bool,
    #[serde(default, with = "runtime", skip_serializing_if = "Option::is_none")]
    runtime: Option<Runtime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cgroup: Option<String>,
}

impl From<&GroupSample> for GroupRepr {
    fn from(sample: &GroupSample) -> Self {
        let GroupSample { key, counters, ended, process_ended, evicted, runtime, ref cgroup } = *sample;
        Self { key, counters, ended, process_ended, evicted, runtime, cgroup: cgroup.as_deref().map(Into::into) }
    }
}

impl From<GroupRepr> for GroupSample {
    fn from(GroupRepr { key, counters, ended, process_ended, evicted, runtime, cgroup }: GroupRepr) -> Self {
        Self { key, counters, ended, process_ended, evicted, runtime, cgroup: cgroup.map(Into::into) }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct KeyRepr(#[serde(with = "GroupKeyDef")] pub(super) GroupKey);

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct LossRepr(#[serde(with = "LossSampleDef")] pub(super) LossSample);

#[derive(Serialize, Deserialize)]
pub(super) struct ListingRepr {
    states: Vec<SocketStateRepr>,
    local_ports: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct SocketStateRepr(#[serde(with = "SocketStateDef")] SocketState);

impl From<&Listing> for ListingRepr {
    fn from(listing: &Listing) -> Self {
        Self { states: listing.states.iter().copied().map(SocketStateRepr).collect(), local_ports: listing.local_ports }
    }
}

impl From<ListingRepr> for Listing {
    fn from(line: ListingRepr) -> Self {
        Self {
            states: line.states.into_iter().map(|SocketStateRepr(state)| state).collect(),
            local_ports: line.local_ports,
        }
    }
}

/// A runtime as its display name.
mod runtime {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::runtime::Runtime;

    #[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    pub(super) fn serialize<S: Serializer>(runtime: &Option<Runtime>, serializer: S) -> Result<S::Ok, S::Error> {
        match runtime {
            Some(runtime) => serializer.collect_str(runtime),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Runtime>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.as_deref().map(Runtime::from_name))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_false(value: &bool) -> bool {
    !value
}
