//! Samples: all kernel counters read at one moment.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::kernel_types::{GroupCounters, GroupKey};
use crate::runtime::{Process, Runtime};

/// All counters at one moment. They only grow, except for those documented in [`GroupCounters`].
#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub groups: Vec<GroupSample>,
    pub loss: LossSample,
    /// None if it has not changed.
    pub listing: Option<Listing>,
}

/// The sockets to the watched destinations, as netstat would list them.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    pub states: Vec<SocketState>,
    /// Number of local ports that connects choose from, for each source address and destination.
    pub local_ports: u64,
}

/// What has local ports of its own: each pair of a source address and a destination. Connects between the two fail once
/// sockets in any state hold all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortSpace {
    /// None in recordings of versions that did not tell source addresses apart.
    pub local: Option<IpAddr>,
    pub remote: IpAddr,
    pub port: u16,
}

impl Listing {
    /// Number of sockets between each source address and destination, in any state.
    pub fn sockets_by_port_space(&self) -> BTreeMap<PortSpace, u64> {
        let mut sockets = BTreeMap::new();
        for SocketState { local, remote, port, sockets: n, .. } in &self.states {
            *sockets.entry(PortSpace { local: *local, remote: *remote, port: *port }).or_default() += n;
        }
        sockets
    }
}

/// Number of sockets from one source address to one destination in one TCP state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketState {
    /// The source address. None in recordings of versions that did not tell source addresses apart.
    pub local: Option<IpAddr>,
    pub remote: IpAddr,
    pub port: u16,
    /// A number from include/net/tcp_states.h.
    pub state: u16,
    pub sockets: u64,
}

/// The state of the side that closed first. Linux leaves it after 60 s (`TCP_TIMEWAIT_LEN` in
/// include/net/tcp.h).
pub const TIME_WAIT: u16 = 6;

#[derive(Clone, Debug, PartialEq)]
pub struct GroupSample {
    pub key: GroupKey,
    pub counters: GroupCounters,
    /// The process has exited and its connections have closed: these are the final counters of the group.
    pub ended: bool,
    /// The process has exited.
    pub process_ended: bool,
    /// The group gives up its name for lack of room: its counts go on in an overflow row. `ended` is true too.
    pub evicted: bool,
    /// The runtime of its process; None if it is not known.
    pub runtime: Option<Runtime>,
    /// The container or systemd unit of its process, otherwise the path of its cgroup; None if it is not known.
    pub cgroup: Option<Arc<str>>,
}

impl GroupSample {
    /// The process, with the name that it had when it first connected.
    pub fn process(&self) -> Process {
        Process { pid: self.key.tgid, start_ticks: self.key.start_ticks, comm: self.counters.comm }
    }
}

/// Losses so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LossSample {
    /// Rows dropped because the kernel's ring was full, or because standard output or the recording blocked.
    pub rows: u64,
    /// Connections missed because the connection map was full.
    pub untracked: u64,
    /// MPTCP connections, which are not counted because their payload bypasses the hooks.
    pub mptcp: u64,
    /// Counts lost because their group was missing.
    pub counts: u64,
    /// Program runs that the kernel reported as skipped (a lower bound).
    pub hook_skips: u64,
    /// Skipped runs that no other hook compensates for.
    pub unrecovered_skips: u64,
    /// Connections counted in the overflow group because the group map was full. No count is lost.
    pub ungrouped: u64,
    /// Sockets left out of listings because the map of states was full. A socket counts once for each listing.
    pub unlisted: u64,
    /// Pre-existing sockets whose process was not looked up because the map of owners was full. A filter by process leaves
    /// them out.
    pub ownerless: u64,
    /// Processes that are not followed, although their parent is, because the map of followed processes was full. Their
    /// connections are in no count.
    pub unfollowed: u64,
    /// Failed removals of entries and slots, which then take up room. No count is lost.
    pub not_removed: u64,
    /// Look-ups of runtimes that came to nothing, which takes nothing from any count. None if none are made.
    pub lookups: Option<Lookups>,
}

/// Look-ups of the runtimes of processes whose executables could not be read, because their file systems do not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lookups {
    /// Given up, although the process that makes the look-up cannot be ended.
    pub hung: u64,
    /// Not begun, because too many hang.
    pub refused: u64,
}

impl LossSample {
    /// Number of connections missing from all counts.
    pub fn connections(&self) -> u64 {
        self.untracked + self.mptcp
    }
}

/// The kernel's statistics of one BPF program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgramSample {
    pub name: &'static str,
    /// Runs that the kernel reported as skipped (a lower bound).
    pub skips: u64,
    /// Number of runs, counted only while `kernel.bpf_stats_enabled` is set.
    pub runs: u64,
    /// Total run time, measured only while `kernel.bpf_stats_enabled` is set.
    pub run_ns: u64,
}
