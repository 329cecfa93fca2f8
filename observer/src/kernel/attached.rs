//! The attached programs and their maps.

use aya::{
    Ebpf,
    maps::{MapData, RingBuf},
};
use observer_core::model::{ProgramSample, Sample};
use tokio::io::unix::AsyncFd;

use super::{
    attach::Links,
    counter_maps::CounterMaps,
    hooks::{HookSet, OptionalPoints},
    inventory::Inventory,
    kernel_log::KernelLog,
    lineage::Lineage,
    program_stats::{self, ProgramStats},
};

pub(crate) struct Kernel {
    pub(super) ebpf: Ebpf,
    pub(super) links: Option<Links>,
    pub(crate) hooks: HookSet,
    pub(super) points: OptionalPoints,
    /// As of the last sample.
    pub(crate) programs: Vec<ProgramSample>,
    /// Why better sets of hooks are not attached, for the user.
    pub(crate) remarks: Vec<String>,
    pub(crate) ring: AsyncFd<RingBuf<MapData>>,
    pub(crate) counters: CounterMaps,
    pub(super) program_stats: ProgramStats,
    pub(super) inventory: Inventory,
    pub(crate) lineage: Lineage,
    pub(crate) log: Option<KernelLog>,
}

impl Kernel {
    /// Detaches all programs, which stops the counters.
    pub(crate) fn detach(&mut self) {
        self.links = None;
    }

    /// Reads every counter. `last`: lists the sockets too, however recent the last listing is.
    pub(crate) fn sample(&mut self, last: bool) -> anyhow::Result<Sample> {
        let (programs, are_all_read) = self.program_stats.read(&self.programs);
        self.programs = programs;
        // Where another program has taken callbacks away, sock_ops does not make up for what the tracepoints miss.
        let sockops = self.hooks.sockops && self.counters.callbacks_taken()? == 0;
        let (skips, mut unrecovered) =
            program_stats::skips(&self.programs, HookSet { sockops, ..self.hooks }, self.points);
        if last && !are_all_read {
            // No later sample will tell what was skipped.
            unrecovered += 1;
        }
        self.counters.begin_sample();
        // Before the counters, which include what the listing has left out.
        let listing = self.inventory.listing(&mut self.ebpf, last).unwrap_or_else(|error| {
            log::warn!("cannot list sockets: {error:#}");
            None
        });
        let sample = self.counters.sample((skips, unrecovered))?;
        Ok(Sample { listing, ..sample })
    }

    /// Whether the counters and the sockets can be read. The rest of the watch depends on both.
    pub(crate) fn is_readable(&mut self) -> bool {
        self.counters.loss((0, 0)).is_ok() && self.inventory.listing(&mut self.ebpf, true).is_ok()
    }
}
