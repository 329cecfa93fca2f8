//! The file format: a JSON object a line, a header, then what the tracker was fed, in that order, then an end.
//!
//! A sample is a difference: of the groups it holds only those that have changed since the sample before it, and it says
//! which are there no more; losses and sockets by state it holds when they have changed. So a watch over 10,000 groups writes what happens, not all of them every second.
//!
//! Everything goes by its name. A reader ignores what it does not know and takes what is absent for nothing or as
//! before, so counters and fields can be added within a version; whoever adds one is told by the compiler to give it
//! its line in `format/`. No kernel address is in a recording: a connection is known by its number.

mod connection;
mod group;

use serde::{Deserialize, Serialize};

use crate::event::{About, Connection, GroupKey, GroupSample, Listing, LossSample, RowKind, SocketState};
use crate::runtime::Runtime;
use connection::{ConnectionDef, RowKindDef};
use group::{GroupDef, GroupKeyDef, LossDef, SocketStateDef};

/// The version that is written, and the newest that can be read.
pub(super) const FORMAT: u32 = 1;

/// What every version's first line holds.
#[derive(Deserialize)]
pub(super) struct Version {
    pub(super) recording: u32,
    /// Of the program that wrote it.
    #[serde(default)]
    pub(super) version: String,
}

/// The first line: what the watch was.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Header {
    recording: u32,
    version: String,
    kernel: String,
    hooks: Vec<String>,
    hooks_not_taken: Vec<String>,
    ports: Vec<String>,
    filters: Vec<String>,
    pre_existing: u64,
    pub(super) started_unix_ns: i64,
    /// How many the kernel side tracked at a time.
    pub(super) max_connections: u32,
}

impl Header {
    pub(super) fn new(about: &About, max_connections: u32) -> Self {
        Self {
            recording: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            kernel: about.kernel.clone(),
            hooks: about.hooks.clone(),
            hooks_not_taken: about.not_taken.clone(),
            ports: about.ports.clone(),
            filters: about.filters.clone(),
            pre_existing: about.pre_existing,
            started_unix_ns: about.started_unix_ns,
            max_connections,
        }
    }

    pub(super) fn about(&self) -> About {
        About {
            hooks: self.hooks.clone(),
            not_taken: self.hooks_not_taken.clone(),
            kernel: self.kernel.clone(),
            ports: self.ports.clone(),
            filters: self.filters.clone(),
            pre_existing: self.pre_existing,
            started_unix_ns: self.started_unix_ns,
        }
    }
}

/// Every other line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line {
    Event(EventLine),
    Sample(SampleLine),
    /// The watch ended in order. Without it the recording is cut off.
    End {
        unix_ns: i64,
    },
}

#[derive(Serialize, Deserialize)]
pub(super) struct EventLine {
    pub(super) unix_ns: i64,
    #[serde(with = "RowKindDef")]
    pub(super) kind: RowKind,
    /// The number that the tracker gave to the connection.
    pub(super) id: u64,
    #[serde(default, with = "GroupKeyDef")]
    pub(super) group: GroupKey,
    #[serde(with = "ConnectionDef")]
    pub(super) connection: Connection,
}

#[derive(Default, Serialize, Deserialize)]
pub(super) struct SampleLine {
    pub(super) unix_ns: i64,
    /// Those that are new, that have changed, or that have ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) groups: Vec<GroupLine>,
    /// Those that were in the last sample, have not ended, and are not in this.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) gone: Vec<KeyLine>,
    /// Absent: as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) loss: Option<LossLine>,
    /// Absent: as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) listing: Option<ListingLine>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct GroupLine {
    #[serde(with = "GroupKeyDef")]
    key: GroupKey,
    #[serde(with = "GroupDef")]
    counters: crate::event::GroupCounters,
    #[serde(default, skip_serializing_if = "is_false")]
    ended: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    process_ended: bool,
    #[serde(default, with = "runtime", skip_serializing_if = "Option::is_none")]
    runtime: Option<Runtime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cgroup: Option<String>,
}

impl From<&GroupSample> for GroupLine {
    fn from(sample: &GroupSample) -> Self {
        let GroupSample { key, counters, ended, process_ended, runtime, ref cgroup } = *sample;
        Self { key, counters, ended, process_ended, runtime, cgroup: cgroup.as_deref().map(Into::into) }
    }
}

impl From<GroupLine> for GroupSample {
    fn from(GroupLine { key, counters, ended, process_ended, runtime, cgroup }: GroupLine) -> Self {
        Self { key, counters, ended, process_ended, runtime, cgroup: cgroup.map(Into::into) }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct KeyLine(#[serde(with = "GroupKeyDef")] pub(super) GroupKey);

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct LossLine(#[serde(with = "LossDef")] pub(super) LossSample);

#[derive(Serialize, Deserialize)]
pub(super) struct ListingLine {
    states: Vec<StateLine>,
    local_ports: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct StateLine(#[serde(with = "SocketStateDef")] SocketState);

impl From<&Listing> for ListingLine {
    fn from(listing: &Listing) -> Self {
        Self { states: listing.states.iter().copied().map(StateLine).collect(), local_ports: listing.local_ports }
    }
}

impl From<ListingLine> for Listing {
    fn from(line: ListingLine) -> Self {
        Self { states: line.states.into_iter().map(|StateLine(state)| state).collect(), local_ports: line.local_ports }
    }
}

/// By its name, as it is shown.
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
        Ok(Option::<String>::deserialize(deserializer)?.as_deref().map(Runtime::named))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_false(value: &bool) -> bool {
    !value
}
