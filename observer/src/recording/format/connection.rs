//! What a connection's event looks like in a recording: the plain data of `event.rs`, field by field.

use std::net::SocketAddr;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::event::{Application, Cause, CloseKind, Closer, Connection, Failure, Protocol, RowKind, Why};

#[derive(Serialize, Deserialize)]
#[serde(remote = "RowKind", rename_all = "lowercase")]
pub(super) enum RowKindDef {
    Open,
    Exchange,
    Close,
    Failed,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Closer", rename_all = "lowercase")]
enum EnderDef {
    Local,
    Peer,
    #[serde(other)]
    Unknown,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "CloseKind", rename_all = "lowercase")]
enum CutDef {
    Fin,
    Reset,
    Timeout,
    #[serde(other)]
    Unknown,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Protocol", rename_all = "lowercase")]
enum ProtocolDef {
    Plain,
    Tls,
    Http2,
    #[serde(other)]
    Unknown,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Failure", rename_all = "kebab-case")]
enum FailureDef {
    Refused,
    TimedOut,
    HostUnreachable,
    NetworkUnreachable,
    Reset,
    AddressNotAvailable,
    Abandoned,
    #[serde(other)]
    Other,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Connection", default = "Connection::nothing_known")]
pub(super) struct ConnectionDef {
    pid: Option<u32>,
    process: Option<CompactString>,
    local: Option<SocketAddr>,
    remote: SocketAddr,
    pre_existing: bool,
    first_is_new: bool,
    #[serde(with = "why")]
    why: Option<Why>,
    #[serde(with = "cause")]
    replaced_cause: Option<Cause>,
    idle_at_open: u32,
    idle_at_end: u32,
    busy_at_open: u32,
    #[serde(with = "cause")]
    cause: Option<Cause>,
    exchanges: u64,
    sent_bytes: Option<u64>,
    received_bytes: Option<u64>,
    unread_bytes: Option<u32>,
    lifetime_us: Option<u64>,
    idle_us: Option<u64>,
    #[serde(with = "EnderDef")]
    closed_by: Closer,
    #[serde(with = "CutDef")]
    how: CloseKind,
    #[serde(with = "ProtocolDef")]
    protocol: Protocol,
    #[serde(with = "application")]
    application: Application,
    exact: bool,
    avoidable: Option<bool>,
    #[serde(with = "FailureDef")]
    failure: Failure,
    errno: u32,
}

/// By its name, or null.
mod why {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::event::{WHYS, Why, why_name};

    #[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    pub(super) fn serialize<S: Serializer>(why: &Option<Why>, serializer: S) -> Result<S::Ok, S::Error> {
        why.map(why_name).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Why>, D::Error> {
        let name = Option::<String>::deserialize(deserializer)?;
        Ok(WHYS.into_iter().find(|why| Some(why_name(*why)) == name.as_deref()))
    }
}

/// By its name, or null.
mod cause {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::event::{CAUSES, Cause, cause_name};

    #[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    pub(super) fn serialize<S: Serializer>(cause: &Option<Cause>, serializer: S) -> Result<S::Ok, S::Error> {
        cause.map(cause_name).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cause>, D::Error> {
        let name = Option::<String>::deserialize(deserializer)?;
        Ok(CAUSES.into_iter().find(|cause| Some(cause_name(*cause)) == name.as_deref()))
    }
}

/// By its name, or null.
mod application {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::event::{Application, application_named};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    pub(super) fn serialize<S: Serializer>(application: &Application, serializer: S) -> Result<S::Ok, S::Error> {
        application.name().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Application, D::Error> {
        let name = Option::<String>::deserialize(deserializer)?;
        Ok(name.as_deref().map_or(Application::Unknown, application_named))
    }
}
