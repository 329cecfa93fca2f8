//! What the tracker is fed, as plain data: events of single connections, and samples of all counters.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use compact_str::CompactString;
pub(crate) use tcp_reuse_watch_ebpf::{
    Application, Cause, CloseKind, Closer, Failure, GroupCounters, GroupKey, Protocol, RowKind, Why,
};

use crate::runtime::{Process, Runtime};

/// Tells a connection from every other one of this watch, also from one whose socket lay at the same address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionKey {
    pub(crate) socket: u64,
    pub(crate) connect_ns: u64,
}

/// Something happened to one connection. Times are nanoseconds since 1970 (UTC).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: RowKind,
    pub(crate) unix_ns: i64,
    pub(crate) key: ConnectionKey,
    /// Where it counts.
    pub(crate) group: GroupKey,
    pub(crate) connection: Connection,
}

impl Event {
    /// The process that connected; None for the kernel, or if it is not known.
    pub(crate) fn process(&self) -> Option<Process> {
        let GroupKey { tgid: pid, start_ticks, .. } = self.group;
        let mut comm = [0; 16];
        let name = self.connection.process.as_deref()?.as_bytes();
        comm.get_mut(..name.len())?.copy_from_slice(name);
        (pid > 0).then_some(Process { pid, start_ticks, comm })
    }
}

/// What is known of a connection at that moment; None where it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    /// None: the kernel itself, or not known.
    pub(crate) pid: Option<u32>,
    /// Inline, as each row has one.
    pub(crate) process: Option<CompactString>,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) remote: SocketAddr,
    /// It was open when the watch began.
    pub(crate) pre_existing: bool,
    /// Its first exchange is a new one: nothing had been sent before the watch began.
    pub(crate) first_is_new: bool,
    /// Why it was opened; None for one that was open before.
    pub(crate) why: Option<Why>,
    /// What the connection ended by that this one replaces; None if it replaces none, or while that one is closing.
    pub(crate) replaced_cause: Option<Cause>,
    /// How many of its group's connections were idle when it connected, and when it ended.
    pub(crate) idle_at_open: u32,
    pub(crate) idle_at_end: u32,
    /// How many were open and not idle when it connected, with this one.
    pub(crate) busy_at_open: u32,
    /// What it ended by; None until it is closed, or if its end was not seen.
    pub(crate) cause: Option<Cause>,
    pub(crate) exchanges: u64,
    /// From here to `how`: known of a connection whose end was seen.
    pub(crate) sent_bytes: Option<u64>,
    pub(crate) received_bytes: Option<u64>,
    pub(crate) unread_bytes: Option<u32>,
    /// From established to the first FIN or reset.
    pub(crate) lifetime_us: Option<u64>,
    /// From the last packet that was read to the first FIN or reset; None if nothing was read.
    pub(crate) idle_us: Option<u64>,
    pub(crate) closed_by: Closer,
    pub(crate) how: CloseKind,
    pub(crate) protocol: Protocol,
    pub(crate) application: Application,
    pub(crate) exact: bool,
    /// When it first asked something, one that had been closed would have done; None where that is not counted.
    pub(crate) avoidable: Option<bool>,
    /// Why it failed, if it did.
    pub(crate) failure: Failure,
    /// `sk_err` when it ended.
    pub(crate) errno: u32,
}

impl Connection {
    /// To no destination, and all else as if it were not known.
    pub(crate) fn nothing_known() -> Self {
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
    pub(crate) fn reused(&self) -> u64 {
        self.exchanges.saturating_sub(u64::from(self.first_is_new))
    }
}

/// What an open connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) activity: Activity,
    pub(crate) exchanges: u64,
    pub(crate) is_exact: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activity {
    Connecting,
    /// Nothing was asked yet, or an answer is due.
    Busy,
    /// Its last exchange is over; since when (nanoseconds since 1970), if that is known.
    Idle(Option<i64>),
    /// One side has closed it.
    Closing,
}

/// All counters at one moment. They only grow, but for what [`GroupCounters`] says goes down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) groups: Vec<GroupSample>,
    pub(crate) loss: LossSample,
    /// None: as it was.
    pub(crate) listing: Option<Listing>,
}

/// What netstat shows, of the destinations that are watched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    pub(crate) states: Vec<SocketState>,
    /// How many local ports there are for connects.
    pub(crate) local_ports: u64,
}

/// How many sockets to a destination are in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SocketState {
    pub(crate) remote: IpAddr,
    pub(crate) port: u16,
    /// As in include/net/tcp_states.h.
    pub(crate) state: u16,
    pub(crate) sockets: u64,
}

/// The state in which the side that closed first waits for a minute or two.
pub(crate) const TIME_WAIT: u16 = 6;

/// What netstat calls a state (include/net/tcp_states.h).
pub(crate) fn state_name(state: u16) -> &'static str {
    match state {
        1 => "ESTABLISHED",
        2 => "SYN_SENT",
        3 => "SYN_RECV",
        4 => "FIN_WAIT1",
        5 => "FIN_WAIT2",
        TIME_WAIT => "TIME_WAIT",
        7 => "CLOSE",
        8 => "CLOSE_WAIT",
        9 => "LAST_ACK",
        10 => "LISTEN",
        11 => "CLOSING",
        _ => "UNKNOWN",
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GroupSample {
    pub(crate) key: GroupKey,
    pub(crate) counters: GroupCounters,
    /// The process is gone and its connections are over: these are its last counters, and it will not come again.
    pub(crate) ended: bool,
    /// The process is gone.
    pub(crate) process_ended: bool,
    /// What its process is; None if that is not known.
    pub(crate) runtime: Option<Runtime>,
    /// The container or the systemd unit of its process, or else the path of its cgroup; None if that is not known.
    pub(crate) cgroup: Option<Arc<str>>,
}

impl GroupSample {
    /// Under the name that it had when it first connected.
    pub(crate) fn process(&self) -> Process {
        Process { pid: self.key.tgid, start_ticks: self.key.start_ticks, comm: self.counters.comm }
    }
}

/// What was missed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LossSample {
    /// Rows that found no room, in the kernel's ring or before a standard output that blocks.
    pub(crate) rows: u64,
    /// Connections that found no room in the map.
    pub(crate) untracked: u64,
    /// MPTCP connections: their payload passes where no hook is.
    pub(crate) mptcp: u64,
    /// Counts that found no group.
    pub(crate) counts: u64,
    /// Times that the kernel skipped a program, as far as it says (a lower bound).
    pub(crate) hook_skips: u64,
    /// Those of them that no other hook makes good.
    pub(crate) unrecovered_skips: u64,
}

impl LossSample {
    /// Connections that are in no count.
    pub(crate) fn connections(&self) -> u64 {
        self.untracked + self.mptcp
    }
}

/// What the kernel says of one of the programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProgramSample {
    pub(crate) name: &'static str,
    /// Times that the kernel skipped it, as far as it says (a lower bound).
    pub(crate) skips: u64,
    /// While the kernel measures programs (`kernel.bpf_stats_enabled`): how often it ran, and how long in all.
    pub(crate) runs: u64,
    pub(crate) run_ns: u64,
}

/// What a watch is, said once at its start and again in the summary.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    pub(crate) hooks: Vec<String>,
    /// Better sets of hooks, and why they could not be had.
    pub(crate) not_taken: Vec<String>,
    /// Release of the running kernel.
    pub(crate) kernel: String,
    /// As given; none means every port.
    pub(crate) ports: Vec<String>,
    /// What else limits what is watched, each as it is said to a person.
    pub(crate) filters: Vec<String>,
    /// Connections that were open when it began.
    pub(crate) pre_existing: u64,
    pub(crate) started_unix_ns: i64,
}

/// Every [`Failure`] that has a name.
pub(crate) const FAILURES: [Failure; 7] = [
    Failure::Refused,
    Failure::TimedOut,
    Failure::HostUnreachable,
    Failure::NetworkUnreachable,
    Failure::Reset,
    Failure::AddressNotAvailable,
    Failure::Abandoned,
];

/// Every [`Why`].
pub(crate) const WHYS: [Why; tcp_reuse_watch_ebpf::WHYS] =
    [Why::First, Why::Concurrency, Why::Replaced, Why::MissedReuse];

/// Every [`Cause`] that is known.
pub(crate) const CAUSES: [Cause; 10] = [
    Cause::Unused,
    Cause::ProcessExit,
    Cause::ResetByPeer,
    Cause::UnreadResponse,
    Cause::Aborted,
    Cause::TimedOut,
    Cause::ClosedAfterResponse,
    Cause::ServerClosedAfterResponse,
    Cause::ClientIdle,
    Cause::ServerIdle,
];

/// What the buckets of lifetimes are called, by where they end.
pub(crate) const LIFETIMES: [&str; tcp_reuse_watch_ebpf::LIFETIMES] =
    ["1ms", "10ms", "100ms", "1s", "10s", "1m", "10m", "1h", "longer"];

/// Why a connection was opened.
pub(crate) fn why_name(why: Why) -> &'static str {
    match why {
        Why::First => "first",
        Why::Concurrency => "concurrency",
        Why::Replaced => "replaced",
        Why::MissedReuse => "missed-reuse",
    }
}

/// What a connection ended by.
pub(crate) fn cause_name(cause: Cause) -> &'static str {
    match cause {
        Cause::Unknown => "unknown",
        Cause::Unused => "unused",
        Cause::ProcessExit => "process-exit",
        Cause::ResetByPeer => "reset-by-peer",
        Cause::UnreadResponse => "unread-response",
        Cause::Aborted => "aborted",
        Cause::TimedOut => "timed-out",
        Cause::ClosedAfterResponse => "closed-after-response",
        Cause::ServerClosedAfterResponse => "server-closed-after-response",
        Cause::ClientIdle => "client-idle",
        Cause::ServerIdle => "server-idle",
    }
}

/// The application with this name.
pub(crate) fn application_named(name: &str) -> Application {
    let is_named = |application: &Application| application.name() == Some(name);
    Application::ALL.iter().copied().find(is_named).unwrap_or(Application::Unknown)
}

/// An address as the kernel side keeps it, IPv4 as IPv4.
pub(crate) fn address(bytes: [u8; 16]) -> IpAddr {
    IpAddr::from(bytes).to_canonical()
}

/// A process's name from its NUL-padded bytes; None if it is not known.
pub(crate) fn name(comm: [u8; 16]) -> Option<CompactString> {
    let end = comm.iter().position(|byte| *byte == 0).unwrap_or(comm.len());
    (end > 0).then(|| CompactString::from_utf8_lossy(&comm[..end]))
}
