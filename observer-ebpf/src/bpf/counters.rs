//! Adding to the counters of the group that a connection counts in.

use aya_ebpf::bindings::BPF_NOEXIST;
use tcp_reuse_watch_ebpf::{
    CAUSES, Connection, FAILURES, Group, GroupKey, HISTOGRAM, HISTOGRAM_STARTS, Loss, OVERFLOW, WHYS, flag,
};

use super::{
    atomic,
    maps::{GROUPS, lost},
    process::Process,
};

/// -EEXIST: another processor was faster.
pub(super) const EEXIST: i32 = -17;

/// Too large for the stack beside a connection.
static EMPTY: Group = Group {
    comm: [0; 16],
    tracked: 0,
    opened: 0,
    pre_existing: 0,
    closed: 0,
    unused: 0,
    new: 0,
    reused: 0,
    inexact: 0,
    failures: [0; FAILURES],
    exchanges_per_connection: [0; HISTOGRAM],
    why: [0; WHYS],
    closes: [0; CAUSES],
    // Counted as soon as it is there: another connect must not take itself for the first.
    live: 1,
    idle: 0,
    last_cause: 0,
};

/// What came of a group that had to exist.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ensured {
    Present,
    Created,
    /// The overflow group counts.
    NoRoom,
}

/// A group's counters: a pointer into a map value, checked for null.
#[derive(Clone, Copy)]
pub(super) struct Counters(pub(super) *mut Group);

/// Adds one to a counter, as in `count!(counters, opened)`; `uncount!` takes one away (-1 in two's complement).
macro_rules! count {
    ($counters:expr, $($field:tt)+) => {{
        // SAFETY: only an address inside the map value is computed.
        let counter = unsafe { &raw mut (*$counters.0).$($field)+ };
        $crate::bpf::atomic::add(counter, 1);
    }};
}
macro_rules! uncount {
    ($counters:expr, $($field:tt)+) => {{
        // SAFETY: only an address inside the map value is computed.
        let counter = unsafe { &raw mut (*$counters.0).$($field)+ };
        $crate::bpf::atomic::add(counter, u64::MAX);
    }};
}
pub(super) use {count, uncount};

/// Adds to one of several counters.
#[inline(always)]
pub(super) fn add_at<const N: usize>(counters: *mut [u64; N], index: u8, n: u64) {
    const { assert!(N.is_power_of_two()) };
    // SAFETY: only an address inside the array is computed.
    atomic::add(unsafe { counters.cast::<u64>().add(usize::from(index) & (N - 1)) }, n);
}

impl Counters {
    /// The counters that `connection` counts in. They are there as long as an entry points at them: user space deletes
    /// a group only when `tracked` is 0 and its process is gone.
    #[inline(always)]
    pub(super) fn of(connection: &Connection) -> Option<Self> {
        Self::at(if connection.flags & flag::OVERFLOW != 0 { &OVERFLOW } else { &connection.group })
    }

    #[inline(always)]
    pub(super) fn at(key: &GroupKey) -> Option<Self> {
        let group = GROUPS.get_ptr_mut(key);
        if group.is_none() {
            lost(Loss::CountsLost);
        }
        group.map(Self)
    }

    /// Makes sure that the group exists. A new one has a live connection: the one for which it was made.
    #[inline(always)]
    pub(super) fn ensure(key: &GroupKey, process: &Process) -> Ensured {
        if GROUPS.get_ptr(key).is_some() {
            return Ensured::Present;
        }
        match GROUPS.insert(key, &EMPTY, u64::from(BPF_NOEXIST)) {
            Ok(()) => {
                if let Some(group) = GROUPS.get_ptr_mut(key) {
                    // SAFETY: a pointer into a map value, checked for null.
                    unsafe { (*group).comm = process.comm };
                }
                Ensured::Created
            }
            Err(EEXIST) => Ensured::Present,
            Err(_) => {
                lost(Loss::GroupsFull);
                Ensured::NoRoom
            }
        }
    }

    /// A connection that has carried its first exchange enters the histogram, and moves up at the start of each bucket.
    #[inline(always)]
    pub(super) fn count_in_histogram(self, exchanges: u64) {
        for (bucket, start) in HISTOGRAM_STARTS.into_iter().enumerate() {
            if exchanges == start {
                count!(self, exchanges_per_connection[bucket]);
                if bucket > 0 {
                    uncount!(self, exchanges_per_connection[bucket - 1]);
                }
            }
        }
    }
}
