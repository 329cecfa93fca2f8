//! Adding to the counters of the group that a connection counts in.

use aya_ebpf::bindings::BPF_NOEXIST;
use tcp_reuse_watch_ebpf::{Connection, FAILURES, Group, GroupKey, HISTOGRAM, HISTOGRAM_STARTS, Loss, OVERFLOW, flag};

use super::{
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
};

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

impl Counters {
    /// The counters that `connection` counts in. They are there as long as an entry points at them: user space deletes
    /// a group only when `tracked` is 0 and its process is gone.
    #[inline(always)]
    pub(super) fn of(connection: &Connection) -> Option<Self> {
        let key = if connection.flags & flag::OVERFLOW != 0 { &OVERFLOW } else { &connection.group };
        let group = GROUPS.get_ptr_mut(key);
        if group.is_none() {
            lost(Loss::CountsLost);
        }
        group.map(Self)
    }

    /// Makes sure that the group exists. False when there is no room: then the overflow group counts.
    #[inline(always)]
    pub(super) fn ensure(key: &GroupKey, process: &Process) -> bool {
        if GROUPS.get_ptr(key).is_some() {
            return true;
        }
        match GROUPS.insert(key, &EMPTY, u64::from(BPF_NOEXIST)) {
            Ok(()) => {
                if let Some(group) = GROUPS.get_ptr_mut(key) {
                    // SAFETY: a pointer into a map value, checked for null.
                    unsafe { (*group).comm = process.comm };
                }
                true
            }
            Err(EEXIST) => true,
            Err(_) => {
                lost(Loss::GroupsFull);
                false
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
