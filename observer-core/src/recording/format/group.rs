//! The representation of a sample's parts in a recording. Counters that are zero are omitted.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tcp_reuse_watch_ebpf::{CAUSES, FAILURES, HISTOGRAM, LIFETIMES, SERVING_MARKS, WHYS};

use crate::model::{GroupCounters, GroupKey, Lookups, LossSample, SocketState};

#[derive(Serialize, Deserialize)]
#[serde(remote = "GroupKey", default = "GroupKey::default")]
pub(super) struct GroupKeyDef {
    tgid: u32,
    start_ticks: u64,
    #[serde(with = "address")]
    addr: [u8; 16],
    port: u16,
    /// The kind of most groups is omitted.
    #[serde(rename = "one_user", with = "kind", skip_serializing_if = "kind::is_one_process")]
    kind: u16,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "GroupCounters", default = "GroupCounters::default")]
pub(super) struct GroupCountersDef {
    #[serde(with = "comm")]
    comm: [u8; 16],
    #[serde(skip_serializing_if = "is_zero")]
    tracked: u64,
    #[serde(skip_serializing_if = "is_zero")]
    opened: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pre_existing: u64,
    #[serde(skip_serializing_if = "is_zero")]
    closed: u64,
    #[serde(skip_serializing_if = "is_zero")]
    unused: u64,
    #[serde(skip_serializing_if = "is_zero")]
    new: u64,
    #[serde(skip_serializing_if = "is_zero")]
    reused: u64,
    #[serde(skip_serializing_if = "is_zero")]
    inexact: u64,
    #[serde(skip_serializing_if = "is_zero")]
    marked: u64,
    #[serde(with = "list", skip_serializing_if = "list::is_empty")]
    failures: [u64; FAILURES],
    #[serde(with = "list", skip_serializing_if = "list::is_empty")]
    exchanges_per_connection: [u64; HISTOGRAM],
    #[serde(with = "list", skip_serializing_if = "list::is_empty")]
    why: [u64; WHYS],
    #[serde(with = "list", skip_serializing_if = "list::is_empty")]
    closes: [u64; CAUSES],
    #[serde(skip_serializing_if = "is_zero")]
    live: u64,
    #[serde(skip_serializing_if = "is_zero")]
    idle: u64,
    #[serde(skip_serializing_if = "is_zero")]
    last_cause: u64,
    #[serde(with = "list", skip_serializing_if = "list::is_empty")]
    closed_exchanges: [u64; HISTOGRAM],
    #[serde(skip_serializing_if = "is_zero")]
    closed_exchanges_sum: u64,
    #[serde(with = "list", skip_serializing_if = "list::is_empty")]
    lifetimes: [u64; LIFETIMES],
    #[serde(skip_serializing_if = "is_zero")]
    lifetime_us_sum: u64,
    /// Not recorded, because a cgroup id means nothing on another machine.
    #[serde(skip)]
    cgroup: u64,
    #[serde(with = "application", skip_serializing_if = "is_zero")]
    application: u64,
    #[serde(skip_serializing_if = "is_zero")]
    asked: u64,
    #[serde(skip_serializing_if = "is_zero")]
    serving: u64,
    #[serde(rename = "needed", with = "maximum", skip_serializing_if = "maximum::is_zero")]
    most_serving: [u32; SERVING_MARKS],
    /// Not recorded: recordings contain no target names, not even hashed.
    #[serde(skip)]
    target: u64,
    #[serde(with = "pool", skip_serializing_if = "is_zero")]
    pool: u64,
    /// As a user id.
    #[serde(rename = "uid", with = "uid", skip_serializing_if = "is_zero")]
    user: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "LossSample", default = "LossSample::default")]
pub(super) struct LossSampleDef {
    rows: u64,
    untracked: u64,
    mptcp: u64,
    counts: u64,
    hook_skips: u64,
    unrecovered_skips: u64,
    #[serde(skip_serializing_if = "is_zero")]
    ungrouped: u64,
    #[serde(skip_serializing_if = "is_zero")]
    unlisted: u64,
    #[serde(skip_serializing_if = "is_zero")]
    ownerless: u64,
    #[serde(skip_serializing_if = "is_zero")]
    unfollowed: u64,
    #[serde(skip_serializing_if = "is_zero")]
    not_removed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lookups: Option<Lookups>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "SocketState")]
pub(super) struct SocketStateDef {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    local: Option<IpAddr>,
    remote: IpAddr,
    port: u16,
    state: u16,
    sockets: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// A kernel-side address in the usual IPv6 notation.
mod address {
    use std::net::Ipv6Addr;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 16], serializer: S) -> Result<S::Ok, S::Error> {
        Ipv6Addr::from(*bytes).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 16], D::Error> {
        Ok(Ipv6Addr::deserialize(deserializer)?.octets())
    }
}

/// Whether the group is the overflow group of a user.
mod kind {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use tcp_reuse_watch_ebpf::{ONE_PROCESS, ONE_USER};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    pub(super) fn is_one_process(kind: &u16) -> bool {
        *kind == ONE_PROCESS
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    pub(super) fn serialize<S: Serializer>(kind: &u16, serializer: S) -> Result<S::Ok, S::Error> {
        (*kind == ONE_USER).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
        Ok(if bool::deserialize(deserializer)? { ONE_USER } else { ONE_PROCESS })
    }
}

/// A user id, which the kernel side stores plus one.
mod uid {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    pub(super) fn serialize<S: Serializer>(user: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        user.saturating_sub(1).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        Ok(u64::from(u32::deserialize(deserializer)?) + 1)
    }
}

/// A process's name as text, or as a list of bytes if it is not UTF-8, so it survives the round trip either way.
mod comm {
    use serde::{Deserialize, Deserializer, Serialize as _, Serializer, de::Error as _};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Comm {
        Text(String),
        Bytes(Vec<u8>),
    }

    pub(super) fn serialize<S: Serializer>(comm: &[u8; 16], serializer: S) -> Result<S::Ok, S::Error> {
        let end = comm.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        match str::from_utf8(&comm[..end]) {
            Ok(text) => text.serialize(serializer),
            Err(_) => comm[..end].serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 16], D::Error> {
        let bytes = match Comm::deserialize(deserializer)? {
            Comm::Text(text) => text.into_bytes(),
            Comm::Bytes(bytes) => bytes,
        };
        let mut comm = [0; 16];
        comm.get_mut(..bytes.len())
            .ok_or_else(|| D::Error::custom("a process's name has at most 16 bytes"))?
            .copy_from_slice(&bytes);
        Ok(comm)
    }
}

/// The application that a group's connections speak: its name, or `several`.
mod application {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use tcp_reuse_watch_ebpf::SEVERAL_APPLICATIONS;

    use crate::model::{Application, application_by_name};

    const SEVERAL: &str = "several";

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    pub(super) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        let name = if *number == SEVERAL_APPLICATIONS { Some(SEVERAL) } else { Application::of(*number).name() };
        name.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        Ok(match Option::<String>::deserialize(deserializer)?.as_deref() {
            Some(SEVERAL) => SEVERAL_APPLICATIONS,
            Some(name) => application_by_name(name) as u64,
            None => Application::Unknown as u64,
        })
    }
}

/// The highest of all processors' marks.
mod maximum {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use tcp_reuse_watch_ebpf::SERVING_MARKS;

    pub(super) fn is_zero(marks: &[u32; SERVING_MARKS]) -> bool {
        marks.iter().all(|mark| *mark == 0)
    }

    pub(super) fn serialize<S: Serializer>(marks: &[u32; SERVING_MARKS], serializer: S) -> Result<S::Ok, S::Error> {
        marks.iter().max().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u32; SERVING_MARKS], D::Error> {
        let mut marks = [0; SERVING_MARKS];
        marks[0] = u32::deserialize(deserializer)?;
        Ok(marks)
    }
}

/// The bits of [`tcp_reuse_watch_ebpf::pool`] as a list of names.
mod pool {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use tcp_reuse_watch_ebpf::pool;

    const NAMES: [(u64, &str); 3] = [(pool::COUNTED, "counted"), (pool::MIXED, "mixed"), (pool::UNHEARD, "unheard")];

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    pub(super) fn serialize<S: Serializer>(bits: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(NAMES.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| name))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        Ok(NAMES.iter().filter(|(_, name)| names.iter().any(|other| other == name)).map(|(bit, _)| bit).sum())
    }
}

/// A list of counters without trailing zeros. A shorter list, from a version with fewer counters, can still be read.
mod list {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    pub(super) fn is_empty<const N: usize>(counters: &[u64; N]) -> bool {
        counters.iter().all(|counter| *counter == 0)
    }

    pub(super) fn serialize<S: Serializer, const N: usize>(
        counters: &[u64; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let end = counters.iter().rposition(|counter| *counter != 0).map_or(0, |last| last + 1);
        counters[..end].serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<[u64; N], D::Error> {
        let values = Vec::<u64>::deserialize(deserializer)?;
        let mut counters = [0; N];
        counters
            .get_mut(..values.len())
            .ok_or_else(|| D::Error::custom(format_args!("{} counters where {N} are known", values.len())))?
            .copy_from_slice(&values);
        Ok(counters)
    }
}
