//! Socket iterators: they adopt pre-existing connections, and count sockets by source address, destination and state. Both
//! see only the network namespace of this process.

use std::time::Duration;

use aya::{
    Btf, Ebpf,
    maps::{HashMap, MapData},
};
use tcp_reuse_watch_ebpf::{Owner, StateKey};

use super::{iterator, pod::Wire};
use crate::host::{clock::CpuTimer, local_ports, namespaces::why_processes_are_unknown, processes, throttle::Throttle};
use observer_core::model::{Listing, SocketState, ip_address};

/// Maximum number of pre-existing sockets whose process is looked up. The process of any further one stays unknown.
/// Sockets that a filter by process leaves out are among them, so it is large even if few connections are tracked.
pub(super) fn max_owners(max_connections: u32) -> u32 {
    max_connections.max(65_536)
}

/// Maximum number of combinations of source address, destination and state in a listing. A few states for each
/// destination have room even if few connections are tracked.
pub(super) fn max_states(max_connections: u32) -> u32 {
    max_connections.max(1_024)
}

/// Idle time after a listing, as a multiple of its cost: listings take at most 1 % of a CPU.
const IDLE_FACTOR: u32 = 100;

/// No view shows listings more often.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

const LIST: &str = "inventory_list";
const ADOPT: &str = "inventory_take";
const NETSTAT: &str = "netstat";

pub(super) struct Inventory {
    owners: HashMap<MapData, u64, Wire<Owner>>,
    states: HashMap<MapData, Wire<StateKey>, u64>,
    listings: Throttle,
}

impl Inventory {
    pub(super) fn new(
        ebpf: &mut Ebpf,
        btf: &Btf,
        owners: HashMap<MapData, u64, Wire<Owner>>,
        states: HashMap<MapData, Wire<StateKey>, u64>,
    ) -> anyhow::Result<Self> {
        for name in [LIST, ADOPT, NETSTAT] {
            iterator::load(ebpf, name, "tcp", btf)?;
        }
        Ok(Self { owners, states, listings: Throttle::new(IDLE_FACTOR, MIN_INTERVAL) })
    }

    /// Adopts the pre-existing connections. All other programs must be attached. Lists the sockets, looks up their
    /// processes, and then creates an entry for each connection that has none.
    pub(super) fn adopt_pre_existing(&mut self, ebpf: &mut Ebpf) -> anyhow::Result<()> {
        iterator::run(ebpf, LIST)?;
        let inodes: Vec<u64> = self.owners.keys().collect::<Result<_, _>>()?;
        // In another PID namespace, their ids would be taken for the machine's.
        if !inodes.is_empty() && why_processes_are_unknown().is_none() {
            for (inode, owner) in processes::owners(inodes.clone()) {
                self.owners.insert(inode, Wire(owner), 0)?;
            }
        }
        // Runs even if the list is empty: the socket of a connect in progress has no inode to be listed by.
        iterator::run(ebpf, ADOPT)?;
        for inode in inodes {
            self.owners.remove(&inode)?;
        }
        Ok(())
    }

    /// Counts sockets by source address, destination and state. None if no listing is due, unless `now` demands one.
    pub(super) fn listing(&mut self, ebpf: &mut Ebpf, now: bool) -> anyhow::Result<Option<Listing>> {
        if !now && !self.listings.is_due() {
            return Ok(None);
        }
        let timer = CpuTimer::start();
        let old: Vec<Wire<StateKey>> = self.states.keys().collect::<Result<_, _>>()?;
        for key in old {
            self.states.remove(&key)?;
        }
        iterator::run(ebpf, NETSTAT)?;
        let mut states = Vec::new();
        for entry in &self.states {
            let (Wire(StateKey { remote, local, port, state }), sockets) = entry?;
            let local = Some(ip_address(local));
            states.push(SocketState { remote: ip_address(remote), local, port, state, sockets });
        }
        self.listings.ran(timer.elapsed());
        Ok(Some(Listing { states, local_ports: local_ports::available() }))
    }
}
