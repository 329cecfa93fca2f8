//! Connections and events of single ones, with times as nanoseconds since 1970 (UTC).

use std::net::{Ipv4Addr, SocketAddr};

use compact_str::CompactString;

use super::{Application, Cause, CloseKind, Closer, Failure, GroupKey, Protocol, RowKind, Why};
use crate::runtime::Process;

/// Tells a connection from every other one of this watch, also from one whose socket lay at the same address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionKey {
    pub socket: u64,
    pub connect_ns: u64,
}

/// Something happened to one connection. Times are nanoseconds since 1970 (UTC).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub kind: RowKind,
    pub unix_ns: i64,
    pub key: ConnectionKey,
    /// Where it counts.
    pub group: GroupKey,
    pub connection: Connection,
}

impl Event {
    /// The process that connected; None for the kernel, or if it is not known.
    pub fn process(&self) -> Option<Process> {
        let GroupKey { tgid: pid, start_ticks, .. } = self.group;
        let mut comm = [0; 16];
        let name = self.connection.process.as_deref()?.as_bytes();
        comm.get_mut(..name.len())?.copy_from_slice(name);
        (pid > 0).then_some(Process { pid, start_ticks, comm })
    }
}

/// What is known of a connection at that moment; None where it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// None: the kernel itself, or not known.
    pub pid: Option<u32>,
    /// Inline, as each row has one.
    pub process: Option<CompactString>,
    pub local: Option<SocketAddr>,
    pub remote: SocketAddr,
    /// It was open when the watch began.
    pub pre_existing: bool,
    /// Its first exchange is a new one: nothing had been sent before the watch began.
    pub first_is_new: bool,
    /// Why it was opened; None for one that was open before.
    pub why: Option<Why>,
    /// What the connection ended by that this one replaces; None if it replaces none, or while that one is closing.
    pub replaced_cause: Option<Cause>,
    /// How many of its group's connections were idle when it connected, and when it ended.
    pub idle_at_open: u32,
    pub idle_at_end: u32,
    /// How many were open and not idle when it connected, with this one.
    pub busy_at_open: u32,
    /// What it ended by; None until it is closed, or if its end was not seen.
    pub cause: Option<Cause>,
    pub exchanges: u64,
    /// From here to `how`: known of a connection whose end was seen.
    pub sent_bytes: Option<u64>,
    pub received_bytes: Option<u64>,
    pub unread_bytes: Option<u32>,
    /// From established to the first FIN or reset.
    pub lifetime_us: Option<u64>,
    /// From the last packet that was read to the first FIN or reset; None if nothing was read.
    pub idle_us: Option<u64>,
    pub closed_by: Closer,
    pub how: CloseKind,
    pub protocol: Protocol,
    pub application: Application,
    pub exact: bool,
    /// When it first asked something, one that had been closed would have done; None where that is not counted.
    pub avoidable: Option<bool>,
    /// Why it failed, if it did.
    pub failure: Failure,
    /// `sk_err` when it ended.
    pub errno: u32,
}

impl Connection {
    /// To no destination, and all else as if it were not known.
    pub fn nothing_known() -> Self {
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

    /// How many of its exchanges were not new.
    pub fn reused(&self) -> u64 {
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
    /// Nothing was asked yet, or an answer is due.
    Busy,
    /// Its last exchange is over; since when (nanoseconds since 1970), if that is known.
    Idle(Option<i64>),
    /// One side has closed it.
    Closing,
}
