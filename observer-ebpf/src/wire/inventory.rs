//! Pre-existing sockets: their owners, and counts by state.

/// The process that holds a pre-existing socket, as user space found it.
#[repr(C)]
#[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    pub start_ticks: u64,
    /// 0 when no process was found.
    pub tgid: u32,
    pub reserved: u32,
    pub comm: [u8; 16],
}

impl Owner {
    /// No process found yet.
    pub const EMPTY: Self = Self { start_ticks: 0, tgid: 0, reserved: 0, comm: [0; 16] };
}

/// Stands for a process that was not found. No real process starts this early.
pub const UNKNOWN_OWNER: Owner = Owner { start_ticks: 1, tgid: 0, reserved: 0, comm: [0; 16] };

/// Key of a count: sockets from one local address to one remote address and port in one state.
#[repr(C)]
#[cfg_attr(not(target_arch = "bpf"), derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StateKey {
    /// IPv4 as `::ffff:a.b.c.d`.
    pub remote: [u8; 16],
    pub local: [u8; 16],
    /// The remote port.
    pub port: u16,
    /// As in include/net/tcp_states.h. 6 is TIME_WAIT.
    pub state: u16,
}

const _: () = assert!(size_of::<Owner>() == 32);
const _: () = assert!(size_of::<StateKey>() == 36);
