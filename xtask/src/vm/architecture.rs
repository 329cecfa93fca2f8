//! The architectures of the virtual machines: how QEMU emulates one, and its names in Debian and Rust.

use std::time::Duration;

use crate::support::packages;

/// An architecture whose kernels boot in QEMU.
#[derive(Debug)]
pub(crate) struct Architecture {
    /// Its name in Rust and Linux
    pub(crate) name: &'static str,
    /// Its name in Debian
    pub(super) debian: &'static str,
    /// Rust's target
    pub(super) target: &'static str,
    pub(super) qemu: &'static str,
    /// QEMU's options for the machine and its processor
    pub(super) machine: &'static [&'static str],
    /// The device of the serial line, which QEMU connects to its output
    pub(super) console: &'static str,
    /// For all sets of hooks on one kernel
    pub(super) time_limit: Duration,
    /// Debian packages that its virtual machines need on this machine
    pub(super) packages: &'static [&'static str],
}

/// The processor has every feature except CMPXCHG16B: QEMU 7.2 sometimes leaves wrong flags after it, and a kernel
/// whose allocator uses it (`__update_freelist_fast()`, mm/slub.c) panics.
pub(crate) const X86_64: Architecture = Architecture {
    name: "x86_64",
    debian: "amd64",
    target: "x86_64-unknown-linux-gnu",
    qemu: "qemu-system-x86_64",
    machine: &["-cpu", "max,cx16=off"],
    console: "ttyS0",
    time_limit: Duration::from_mins(15),
    packages: packages::FOR_VM,
};

/// The processor has every feature, with a pointer authentication that is QEMU's own: the emulation of the standard one
/// takes most of the time in the kernel.
pub(crate) const AARCH64: Architecture = Architecture {
    name: "aarch64",
    debian: "arm64",
    target: "aarch64-unknown-linux-gnu",
    qemu: "qemu-system-aarch64",
    machine: &["-M", "virt", "-cpu", "max,pauth-impdef=on"],
    console: "ttyAMA0",
    time_limit: Duration::from_mins(40),
    packages: packages::FOR_VM_AARCH64,
};

const ALL: [&Architecture; 2] = [&X86_64, &AARCH64];

/// Finds an architecture by its name.
pub(super) fn find(name: &str) -> Result<&'static Architecture, String> {
    let names = || ALL.map(|architecture| architecture.name).join(", ");
    ALL.into_iter()
        .find(|architecture| architecture.name == name)
        .ok_or_else(|| format!("the architectures are {}", names()))
}
