//! What to watch, and how.

use std::path::PathBuf;

use ipnet::IpNet;

use super::hooks::HookSet;

/// Connections tracked at the same time by default. The kernel accounts 44 MB for them.
pub(crate) const MAX_CONNECTIONS: u32 = 131_072;

/// Default size of the ring buffer: some 17,000 rows, for moments in which this process gets no CPU.
pub(crate) const RING_BYTES: u32 = 4 << 20;

#[derive(Clone, Debug)]
pub(crate) struct WatchConfig {
    /// Inclusive ranges. Empty: every port.
    pub(crate) ports: Vec<(u16, u16)>,
    pub(crate) destinations: Vec<IpNet>,
    /// By their ids in the PID namespace of this process. Empty: every process.
    pub(crate) pids: Vec<u32>,
    /// Also the descendants of `pids`.
    pub(crate) with_children: bool,
    pub(crate) processes: Vec<String>,
    /// None: the best set that loads.
    pub(crate) hooks: Option<HookSet>,
    /// A file with the kernel's type information. None: the kernel's own in /sys.
    pub(crate) btf: Option<PathBuf>,
    pub(crate) max_connections: u32,
    pub(crate) ring_bytes: u32,
    /// Whether any output reads rows.
    pub(crate) rows: bool,
    /// Whether exchanges get rows too.
    pub(crate) exchange_rows: bool,
    pub(crate) diagnostics: bool,
}

impl Default for WatchConfig {
    /// Watches everything, with the default sizes and without rows.
    fn default() -> Self {
        Self {
            ports: Vec::new(),
            destinations: Vec::new(),
            pids: Vec::new(),
            with_children: false,
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
