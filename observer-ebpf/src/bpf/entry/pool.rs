//! A group as a pool: how many of its connections have asked something, and how many serve at once. The difference from
//! the peak shows how many were avoidable: while fewer serve than at the peak, a pool that had kept its connections
//! would have a spare one.
//!
//! The conversation knows which sends ask, and idleness plays no part. So this is exact for every protocol, even where
//! exchanges are not.

use aya_ebpf::helpers::bpf_get_smp_processor_id;
use tcp_reuse_watch_ebpf::{Application, Connection, NO_TARGET, SERVING_MARKS, TARGET_UNCLEAR, flag, pool};

use super::written::written;
use crate::bpf::{
    counters::{Counters, count, uncount},
    memory::Memory,
    socket::Socket,
};

/// Number of comparisons with a high-water mark. An interrupt may have raised `serving` in between.
const COMPARISONS: u32 = 2;

/// Records the first ask, if a written byte asks. Repeated calls count once.
#[inline(always)]
pub(in crate::bpf) fn check_written<M: Memory>(entry: &mut Connection, socket: &Socket<M>) {
    if entry.flags & flag::ASKED == 0 && entry.conversation.turn.has_open_ask(written(entry, socket)) {
        record_ask(entry);
    }
}

/// Notes a send that begins here, will end at `end` (bytes of payload since the connection began) and is about to be
/// written.
#[inline(always)]
pub(in crate::bpf) fn note_send(entry: &mut Connection, end: u64) {
    if entry.flags & flag::ASKED == 0 && entry.conversation.turn.has_open_ask(end) {
        record_ask(entry);
    }
}

/// Records a connection's first ask. From here on it serves.
#[inline(always)]
pub(in crate::bpf) fn record_ask(entry: &mut Connection) {
    if entry.flags & flag::ASKED != 0 {
        return;
    }
    entry.flags |= flag::ASKED | flag::SERVING;
    let is_avoidable = count_ask(entry.slot) != 0;
    // A pre-existing connection was opened before the watch began and may have named its target then.
    if entry.flags & flag::PRE_EXISTING == 0 {
        if is_avoidable {
            entry.flags |= flag::AVOIDABLE;
        }
        if entry.flags & flag::TARGETED == 0 {
            note_target(entry, NO_TARGET);
        }
    }
    if entry.ended_ns != 0 {
        // The peer closed it earlier. It counts as serving for an instant, because its client considers it usable.
        stop_serving(entry);
    }
}

/// Flags the pool as unclear if a finished connection may have asked unnoticed: it spoke an unrecognised protocol and
/// never seemed to ask.
#[inline(always)]
pub(in crate::bpf) fn flag_possible_ask(entry: &mut Connection) {
    let is_unknown = entry.conversation.application == Application::Unknown as u8;
    if entry.flags & (flag::ASKED | flag::INEXACT) == flag::INEXACT && is_unknown && entry.written > 0 {
        note_target(entry, TARGET_UNCLEAR);
    }
}

/// Counts an ask in the group with these counters. Returns 1 if the connection was avoidable. Verified separately, as in
/// `inspection.rs`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn count_ask(slot: u32) -> u32 {
    let Some(counters) = Counters::at(slot) else { return 0 };
    count!(counters, serving);
    let is_peak = raise_peak(counters);
    // Last, so a concurrent reader does not count the connection as avoidable.
    count!(counters, asked);
    u32::from(!is_peak)
}

/// Stops counting a connection as serving: the peer has closed it, or we have closed both directions.
#[inline(always)]
pub(in crate::bpf) fn stop_serving(entry: &mut Connection) {
    if entry.flags & flag::SERVING == 0 {
        return;
    }
    entry.flags &= !flag::SERVING;
    count_stop(entry.slot);
}

/// Counts a connection that no longer serves, in the group with these counters. Verified separately. Compares the mark
/// once more first, because another processor's update at the peak may have been lost.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn count_stop(slot: u32) -> u32 {
    let Some(counters) = Counters::at(slot) else { return 0 };
    let _ = raise_peak(counters);
    uncount!(counters, serving);
    0
}

/// Raises this processor's high-water mark to the current `serving`. Returns whether this is a new peak.
///
/// Each processor has a mark of its own, because a shared maximum is impossible: until 5.12 no instruction adds and
/// returns the result, or compares and exchanges (`BPF_FETCH`, `BPF_CMPXCHG`).
#[inline(always)]
fn raise_peak(counters: Counters) -> bool {
    let mut is_peak = false;
    for _ in 0..COMPARISONS {
        // SAFETY: a pointer into a map value, checked for null. Volatile, because other processors write there.
        let (serving, needed) = unsafe { ((&raw const (*counters.0).serving).read_volatile(), (*counters.0).needed()) };
        if serving <= needed {
            break;
        }
        is_peak = true;
        // SAFETY: the helper has no preconditions.
        let mark = unsafe { bpf_get_smp_processor_id() } as usize & (SERVING_MARKS - 1);
        // SAFETY: a pointer into a map value, checked for null, and an index within its array.
        unsafe {
            let mark = (&raw mut (*counters.0).most_serving).cast::<u32>().add(mark);
            if u64::from(mark.read_volatile()) < serving {
                mark.write_volatile(serving as u32);
            }
        }
    }
    is_peak
}

/// Notes the connection's target. Of two concurrent first notes one wins, and the next connection finds the difference.
#[inline(always)]
pub(in crate::bpf) fn note_target(entry: &mut Connection, target: u64) {
    entry.flags |= flag::TARGETED;
    let Some(counters) = Counters::of(entry) else { return };
    // SAFETY: pointers into a map value, checked for null. Volatile, because other processors write there.
    unsafe {
        let noted = &raw mut (*counters.0).target;
        if noted.read_volatile() == 0 && target != TARGET_UNCLEAR {
            noted.write_volatile(target);
        }
        if noted.read_volatile() != target {
            (*counters.0).pool |= pool::MIXED;
        }
    }
}
