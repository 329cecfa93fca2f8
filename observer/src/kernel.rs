//! All that touches BPF. [`Kernel::attach`] loads the programs and attaches them; from then on events come from the
//! ring and counters from the maps, until [`Kernel::detach`] takes everything out again.
//!
//! Nothing is pinned: when the process dies, however it dies, its programs and maps go with it.

pub(crate) mod btf;
mod counters;
mod hooks;
mod inventory;
mod kernel_log;
pub(crate) mod load;
pub(crate) mod offsets;

use std::{net::IpAddr, os::fd::AsRawFd, path::PathBuf};

use anyhow::Context as _;
use aya::{
    Ebpf,
    maps::{MapData, RingBuf},
};
use ipnet::IpNet;
use tokio::io::{Interest, unix::AsyncFd};

use observer_core::model::{ProgramSample, Sample};

use counters::Counters;
pub(crate) use hooks::{BASE_KIND, HookSet};
use hooks::{Links, Places};
use inventory::Inventory;
pub(crate) use kernel_log::KernelLog;

/// Connections tracked at a time, unless told otherwise: 44 MB of kernel memory, as the kernel accounts it.
pub(crate) const MAX_CONNECTIONS: u32 = 131_072;

/// Room for rows: some 17,000, for when this program does not get the processor for a while.
pub(crate) const RING_BYTES: u32 = 4 << 20;

/// What to watch, and how.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Ranges, both ends included; none means every port.
    pub(crate) ports: Vec<(u16, u16)>,
    pub(crate) destinations: Vec<IpNet>,
    pub(crate) pids: Vec<u32>,
    pub(crate) processes: Vec<String>,
    /// None: the best that loads.
    pub(crate) hooks: Option<HookSet>,
    /// Where the kernel's type information is; None: where the kernel shows it.
    pub(crate) btf: Option<PathBuf>,
    pub(crate) max_connections: u32,
    pub(crate) ring_bytes: u32,
    /// Whether anyone reads rows, and those of exchanges too.
    pub(crate) rows: bool,
    pub(crate) exchange_rows: bool,
    pub(crate) diagnostics: bool,
}

/// Everything that is attached.
pub(crate) struct Kernel {
    ebpf: Ebpf,
    links: Option<Links>,
    pub(crate) hooks: HookSet,
    places: Places,
    /// As last sampled.
    pub(crate) programs: Vec<ProgramSample>,
    /// Why a better set was not taken, for the user to know.
    pub(crate) remarks: Vec<String>,
    pub(crate) ring: AsyncFd<RingBuf<MapData>>,
    pub(crate) counters: Counters,
    inventory: Inventory,
    pub(crate) log: Option<KernelLog>,
}

impl Kernel {
    /// Takes all programs out, so that the counters stand still.
    pub(crate) fn detach(&mut self) {
        self.links = None;
    }

    /// Reads every counter; `last`: also those that take long, however short ago they were read.
    pub(crate) fn sample(&mut self, last: bool) -> anyhow::Result<Sample> {
        self.programs = hooks::programs(&self.ebpf, self.hooks, self.places, &self.programs);
        let mut sample = self.counters.sample(hooks::skips(&self.programs, self.hooks, self.places))?;
        sample.listing = self.inventory.listing(&mut self.ebpf, last).unwrap_or_else(|error| {
            log::warn!("cannot list sockets: {error:#}");
            None
        });
        Ok(sample)
    }

    /// Whether counters and sockets can be read, as they have to be for the rest of the watch.
    fn is_readable(&mut self) -> bool {
        self.counters.loss((0, 0)).is_ok() && self.inventory.listing(&mut self.ebpf, true).is_ok()
    }
}

/// Makes a map or a log that signals by becoming readable something to wait for.
fn readable<T: AsRawFd>(inner: T) -> anyhow::Result<AsyncFd<T>> {
    // SAFETY: what is passed here owns its file descriptor: it stays open, and the same, as long as the value lives.
    unsafe { AsyncFd::register_with_interest(inner, Interest::READABLE) }
        .map_err(|error| error.into_parts().1)
        .context("cannot wait for what the kernel sends")
}

/// Release of the running kernel, as `uname -r` says it.
pub(crate) fn release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

impl Default for Plan {
    /// Everything, for as many connections as usual, and no rows.
    fn default() -> Self {
        Self {
            ports: Vec::new(),
            destinations: Vec::new(),
            pids: Vec::new(),
            processes: Vec::new(),
            hooks: None,
            btf: None,
            max_connections: MAX_CONNECTIONS,
            ring_bytes: RING_BYTES,
            rows: false,
            exchange_rows: false,
            diagnostics: false,
        }
    }
}

/// A network as the kernel side keeps it: IPv4 within `::ffff:0:0/96`.
fn mapped(network: &IpNet) -> (u32, [u8; 16]) {
    let prefix = u32::from(network.prefix_len());
    match network.network() {
        IpAddr::V4(addr) => (prefix + 96, addr.to_ipv6_mapped().octets()),
        IpAddr::V6(addr) => (prefix, addr.octets()),
    }
}

/// A value that crosses to the kernel as its bytes.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct Wire<T>(T);

// SAFETY: transparent, and bytemuck has checked that every byte of T may be copied as it is.
unsafe impl<T: bytemuck::Pod> aya::Pod for Wire<T> {}
