//! The maps. User space sets their sizes. Everything is bounded, and every rejected insert is counted in LOSS.

use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    macros::map,
    maps::{Array, HashMap, LpmTrie, PerCpuArray, Queue, RingBuf},
};
use tcp_reuse_watch_ebpf::{Connection, GroupCounters, GroupKey, GroupPlace, Holder, Loss, Owner, StateKey};

use super::atomic;

/// Socket address → connection.
#[map]
pub(super) static CONNECTIONS: HashMap<u64, Connection> = HashMap::with_max_entries(1, 0);

/// Group → slot of its counters.
#[map]
pub(super) static GROUPS: HashMap<GroupKey, GroupPlace> = HashMap::with_max_entries(1, 0);

/// Exact counters, which user space reads once per tick. An array, because a lookup by slot takes a few nanoseconds and
/// a lookup by group takes fifty.
#[map]
pub(super) static COUNTERS: Array<GroupCounters> = Array::with_max_entries(1, 0);

/// Free counter slots, zeroed by user space.
#[map]
pub(super) static FREE_SLOTS: Queue<u32> = Queue::with_max_entries(1, 0);

/// Slots that each process and user has ever taken, and the part of them that user space has taken back. Each side
/// writes only its own map, because an update from user space would overwrite a concurrent addition.
#[map]
pub(super) static SLOTS_TAKEN: HashMap<Holder, u64> = HashMap::with_max_entries(1, 0);

#[map]
pub(super) static SLOTS_RETURNED: HashMap<Holder, u64> = HashMap::with_max_entries(1, 0);

/// Rows for people to read, each a whole [`Connection`].
#[map]
pub(super) static EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);

#[map]
static LOSS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Loss::ALL.len() as u32, 0);

/// `--dest`: IPv6 prefix (IPv4 as `::ffff:a.b.c.d`) → 1 if wanted.
#[map]
pub(super) static DESTINATIONS: LpmTrie<[u8; 16], u8> = LpmTrie::with_max_entries(1, 0);

/// The processes that user space names, by their ids in its own PID namespace.
#[map]
pub(super) static ROOTS: HashMap<u32, u8> = HashMap::with_max_entries(1, 0);

/// Process that a filter follows → when it started, in clock ticks. Its id alone may belong to another one later.
#[map]
pub(super) static FOLLOWED: HashMap<u32, u64> = HashMap::with_max_entries(1, 0);

/// `--process`: names, NUL-padded.
#[map]
pub(super) static PROCESSES: HashMap<[u8; 16], u8> = HashMap::with_max_entries(1, 0);

/// Inode of a pre-existing socket → its process, as user space found it.
#[map]
pub(super) static OWNERS: HashMap<u64, Owner> = HashMap::with_max_entries(1, BPF_F_NO_PREALLOC);

/// Local port → the last run of an iterator that listed a listener there.
#[map]
static LISTENERS: Array<u64> = Array::with_max_entries(1 << u16::BITS, 0);

/// Number of sockets to watched ports, by source address, destination and state.
#[map]
pub(super) static STATES: HashMap<StateKey, u64> = HashMap::with_max_entries(1, BPF_F_NO_PREALLOC);

/// Records that a run of an iterator has listed a listener on a local port.
#[inline(always)]
pub(super) fn note_listener(port: u16, run: u64) {
    if let Some(last) = LISTENERS.get_ptr_mut(port.into()) {
        // SAFETY: a pointer into a map value, checked for null. One iterator runs at a time, so nothing else writes.
        unsafe { *last = run };
    }
}

/// Whether this run of an iterator has listed a listener on a local port. It lists listeners first.
#[inline(always)]
pub(super) fn has_listener(port: u16, run: u64) -> bool {
    LISTENERS.get(port.into()) == Some(&run)
}

/// Counts a loss.
#[inline(always)]
pub(super) fn count_loss(what: Loss) {
    if let Some(counter) = LOSS.get_ptr_mut(what as u32) {
        // Atomic although the map is per CPU, because a softirq may interrupt.
        atomic::add(counter, 1);
    }
}
