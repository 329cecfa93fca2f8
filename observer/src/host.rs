//! The parts of the host that do not involve BPF: processes and cgroups; privileges, namespaces and limits of this process;
//! the clock, signals and memory.

pub(crate) mod async_fd;
pub(crate) mod cgroup;
pub(crate) mod cgroups;
pub(crate) mod clock;
pub(crate) mod confinement;
pub(crate) mod event_loop;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
pub(crate) mod liveness;
pub(crate) mod local_ports;
pub(crate) mod memory;
pub(crate) mod memory_limit;
pub(crate) mod namespaces;
pub(crate) mod open_files;
pub(crate) mod panics;
pub(crate) mod privileges;
pub(crate) mod processes;
pub(crate) mod signals;
pub(crate) mod throttle;
