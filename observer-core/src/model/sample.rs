//! Samples: every counter of the kernel at one moment.

use std::{net::IpAddr, sync::Arc};

use super::{GroupCounters, GroupKey};
use crate::runtime::{Process, Runtime};

/// All counters at one moment. They only grow, but for what [`GroupCounters`] says goes down.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub groups: Vec<GroupSample>,
    pub loss: LossSample,
    /// None: as it was.
    pub listing: Option<Listing>,
}

/// What netstat shows, of the destinations that are watched.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    pub states: Vec<SocketState>,
    /// How many local ports there are for connects.
    pub local_ports: u64,
}

/// How many sockets to a destination are in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketState {
    pub remote: IpAddr,
    pub port: u16,
    /// As in include/net/tcp_states.h.
    pub state: u16,
    pub sockets: u64,
}

/// The state in which the side that closed first waits for a minute or two.
pub const TIME_WAIT: u16 = 6;

#[derive(Clone, Debug, PartialEq)]
pub struct GroupSample {
    pub key: GroupKey,
    pub counters: GroupCounters,
    /// The process is gone and its connections are over: these are its last counters, and it will not come again.
    pub ended: bool,
    /// The process is gone.
    pub process_ended: bool,
    /// What its process is; None if that is not known.
    pub runtime: Option<Runtime>,
    /// The container or the systemd unit of its process, or else the path of its cgroup; None if that is not known.
    pub cgroup: Option<Arc<str>>,
}

impl GroupSample {
    /// Under the name that it had when it first connected.
    pub fn process(&self) -> Process {
        Process { pid: self.key.tgid, start_ticks: self.key.start_ticks, comm: self.counters.comm }
    }
}

/// What was missed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LossSample {
    /// Rows that found no room, in the kernel's ring or before a standard output that blocks.
    pub rows: u64,
    /// Connections that found no room in the map.
    pub untracked: u64,
    /// MPTCP connections: their payload passes where no hook is.
    pub mptcp: u64,
    /// Counts that found no group.
    pub counts: u64,
    /// Times that the kernel skipped a program, as far as it says (a lower bound).
    pub hook_skips: u64,
    /// Those of them that no other hook makes good.
    pub unrecovered_skips: u64,
}

impl LossSample {
    /// Connections that are in no count.
    pub fn connections(&self) -> u64 {
        self.untracked + self.mptcp
    }
}

/// What the kernel says of one of the programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgramSample {
    pub name: &'static str,
    /// Times that the kernel skipped it, as far as it says (a lower bound).
    pub skips: u64,
    /// While the kernel measures programs (`kernel.bpf_stats_enabled`): how often it ran, and how long in all.
    pub runs: u64,
    pub run_ns: u64,
}
