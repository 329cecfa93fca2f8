//! Single connections and their events. Times are nanoseconds since 1970 (UTC).

use std::net::{Ipv4Addr, SocketAddr};

use compact_str::CompactString;

use super::kernel_types::{Application, Cause, CloseKind, Closer, Failure, GroupKey, Protocol, RowKind, Why};
use crate::runtime::Process;

/// Identifies a connection within a watch. The kernel reuses the addresses of freed sockets, so the connect time is
/// part of the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionKey {
    pub socket: u64,
    pub connect_ns: u64,
}

/// An event of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub kind: RowKind,
    pub unix_ns: i64,
    pub key: ConnectionKey,
    /// The group whose counters include the connection.
    pub group: GroupKey,
    pub connection: Connection,
}

impl Event {
    /// The process that connected; None if the kernel connected or the process is not known.
    pub fn process(&self) -> Option<Process> {
        let GroupKey { tgid: pid, start_ticks, .. } = self.group;
        let mut comm = [0; 16];
        let name = self.connection.process.as_deref()?.as_bytes();
        comm.get_mut(..name.len())?.copy_from_slice(name);
        (pid > 0).then_some(Process { pid, start_ticks, comm })
    }
}

/// The state of a connection at the time of an event. Unknown values are None.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// None if the kernel connected or the process is not known.
    pub pid: Option<u32>,
    /// A `CompactString` holds it inline: every row has a name, and rows do not allocate.
    pub process: Option<CompactString>,
    pub local: Option<SocketAddr>,
    pub remote: SocketAddr,
    /// The connection was open when the watch began.
    pub pre_existing: bool,
    /// The first exchange counts as new, because nothing was sent before the watch began.
    pub first_is_new: bool,
    /// Why it was opened; None for a pre-existing connection.
    pub why: Option<Why>,
    /// Why the replaced connection closed; None if this connection replaces none, or while the replaced one is closing.
    pub replaced_cause: Option<Cause>,
    /// Idle connections of its group when it connected.
    pub idle_at_open: u32,
    /// Idle connections of its group when it ended.
    pub idle_at_end: u32,
    /// Open connections of its group that were not idle when it connected, itself included.
    pub busy_at_open: u32,
    /// Why it closed; None until then, or if the close was not seen.
    pub cause: Option<Cause>,
    pub exchanges: u64,
    /// The fields from here to `how` are known only if the close was seen.
    pub sent_bytes: Option<u64>,
    pub received_bytes: Option<u64>,
    pub unread_bytes: Option<u32>,
    /// Time from established to the first FIN or reset.
    pub lifetime_us: Option<u64>,
    /// Time from the last received packet that was read to the first FIN or reset; None if nothing was read.
    pub idle_us: Option<u64>,
    pub closed_by: Closer,
    pub how: CloseKind,
    pub protocol: Protocol,
    pub application: Application,
    pub exact: bool,
    /// Whether a connection closed earlier could have served when this one first asked something; None if not counted.
    pub avoidable: Option<bool>,
    /// Why the connect failed, if it did.
    pub failure: Failure,
    /// `sk_err` when the connection ended.
    pub errno: u32,
}

impl Connection {
    /// A connection to no destination, with every value unknown.
    pub fn unknown() -> Self {
        Self {
            pid: None,
            process: None,
            local: None,
            remote: (Ipv4Addr::UNSPECIFIED, 0).into(),
            pre_existing: false,
            first_is_new: true,
            why: None,
            replaced_cause: None,
            idle_at_open: 0,
            idle_at_end: 0,
            busy_at_open: 0,
            cause: None,
            exchanges: 0,
            sent_bytes: None,
            received_bytes: None,
            unread_bytes: None,
            lifetime_us: None,
            idle_us: None,
            closed_by: Closer::Unknown,
            how: CloseKind::Unknown,
            protocol: Protocol::Unknown,
            application: Application::Unknown,
            exact: true,
            avoidable: None,
            failure: Failure::Other,
            errno: 0,
        }
    }

    /// Number of exchanges that reused the connection.
    pub fn reused_exchanges(&self) -> u64 {
        self.exchanges.saturating_sub(u64::from(self.first_is_new))
    }
}

/// What an open connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activity {
    pub state: ConnectionState,
    pub exchanges: u64,
    pub is_exact: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    Connecting,
    /// Nothing was asked yet, or an answer is outstanding.
    Busy,
    /// The last exchange is complete, since this time if it is known (nanoseconds since 1970).
    Idle(Option<i64>),
    /// One side has closed the connection.
    Closing,
}
