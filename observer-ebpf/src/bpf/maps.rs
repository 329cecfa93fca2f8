//! The maps. Their sizes are set by user space; everything is bounded, and every refusal is counted in LOSS.

use aya_ebpf::{
    macros::map,
    maps::{HashMap, LpmTrie, PerCpuArray, RingBuf},
};
use tcp_reuse_watch_ebpf::{Connection, Group, GroupKey, Loss};

use super::atomic;

/// Address of the socket → its connection.
#[map]
pub(super) static CONNECTIONS: HashMap<u64, Connection> = HashMap::with_max_entries(1, 0);

/// Exact counters, read by user space once per tick.
#[map]
pub(super) static GROUPS: HashMap<GroupKey, Group> = HashMap::with_max_entries(1, 0);

/// Rows for a person to read; [`Connection`]s, whole.
#[map]
pub(super) static EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);

#[map]
static LOSS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Loss::ALL.len() as u32, 0);

/// `--dest`: IPv6 prefixes, IPv4 as `::ffff:a.b.c.d`.
#[map]
pub(super) static DESTINATIONS: LpmTrie<[u8; 16], u8> = LpmTrie::with_max_entries(1, 0);

/// `--pid`.
#[map]
pub(super) static PIDS: HashMap<u32, u8> = HashMap::with_max_entries(1, 0);

/// `--process`: names, NUL-padded.
#[map]
pub(super) static PROCESSES: HashMap<[u8; 16], u8> = HashMap::with_max_entries(1, 0);

/// Counts what could not be done.
#[inline(always)]
pub(super) fn lost(what: Loss) {
    if let Some(counter) = LOSS.get_ptr_mut(what as u32) {
        // Atomic even though the map is per CPU: a softirq may come in between.
        atomic::add(counter, 1);
    }
}
