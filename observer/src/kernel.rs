//! Everything that touches BPF. [`Kernel::attach`] loads the programs and attaches them. From then on events come from
//! the ring buffer and counters from the maps, until [`Kernel::detach`] detaches the programs.
//!
//! Nothing is pinned, so the kernel frees programs and maps when the process ends, even if it is killed.

mod attach;
mod attached;
pub(crate) mod btf;
mod config;
mod counter_maps;
pub(crate) mod hook_test;
mod hooks;
mod inventory;
mod iterator;
mod kernel_log;
mod lineage;
pub(crate) mod load;
pub(crate) mod offsets;
mod pod;
mod program_stats;
mod resting;
mod slots;

pub(crate) use attached::Kernel;
pub(crate) use config::{MAX_CONNECTIONS, RING_BYTES, WatchConfig};
pub(crate) use hooks::{BASE_KIND, HookSet};
pub(crate) use kernel_log::KernelLog;
pub(crate) use lineage::{Followed, Lineage};

/// The release of the running kernel, as `uname -r` prints it.
pub(crate) fn release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}
