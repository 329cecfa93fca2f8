//! A connection's part in its group's `live` and `idle`.

use tcp_reuse_watch_ebpf::{Connection, flag};

use crate::bpf::counters::{Counters, count, uncount};

/// Stops counting a connection that cannot be used any more.
#[inline(always)]
pub(super) fn leave_group(entry: &mut Connection) {
    if entry.flags & flag::LIVE == 0 {
        return;
    }
    if let Some(counters) = Counters::of(entry) {
        uncount!(counters, live);
        if entry.flags & flag::IDLE != 0 {
            uncount!(counters, idle);
        }
        // SAFETY: a pointer into a map value, checked for null.
        entry.idle_at_end = unsafe { (*counters.0).idle } as u32;
    }
    entry.flags &= !(flag::LIVE | flag::IDLE);
}

/// Counts a connection as idle once everything asked is answered, so another request may use it.
#[inline(always)]
pub(super) fn mark_idle(entry: &mut Connection) {
    let is_live = entry.flags & (flag::LIVE | flag::IDLE) == flag::LIVE;
    if is_live
        && (entry.exchanges > 0 || entry.flags & flag::USED_BEFORE != 0)
        && let Some(counters) = Counters::of(entry)
    {
        count!(counters, idle);
        entry.flags |= flag::IDLE;
    }
}

/// Counts a connection as busy when a send begins.
#[inline(always)]
pub(in crate::bpf) fn mark_busy(entry: &mut Connection) {
    if entry.flags & flag::IDLE != 0
        && let Some(counters) = Counters::of(entry)
    {
        uncount!(counters, idle);
        entry.flags &= !flag::IDLE;
    }
}
