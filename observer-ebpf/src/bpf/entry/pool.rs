//! A group as a pool: how many of its connections have asked something, and how many serve at a time. From these follows
//! how many were avoidable: with fewer serving than once did, a pool that had kept what it had would have had a spare one.
//!
//! What asks, the conversation knows; idleness plays no part. So this is exact for every protocol, also where exchanges
//! are not.

use aya_ebpf::helpers::bpf_get_smp_processor_id;
use tcp_reuse_watch_ebpf::{Application, Connection, NO_TARGET, SERVING_MARKS, TARGET_UNCLEAR, flag, pool};

use super::written::written;
use crate::bpf::{
    counters::{Counters, count, uncount},
    memory::Memory,
    socket::Socket,
};

/// How often a mark is compared with what serves by then: an interrupt may have come in between, and raised it further.
const COMPARISONS: u32 = 2;

/// Notes the first ask, if something was written that is one. Looking twice counts once.
#[inline(always)]
pub(in crate::bpf) fn check_written<M: Memory>(entry: &mut Connection, socket: &Socket<M>) {
    if entry.flags & flag::ASKED == 0 && entry.conversation.turn.has_open_ask(written(entry, socket)) {
        record_ask(entry);
    }
}

/// A send ends at `end` (bytes of payload since the connection began) that begins here, and is about to be written.
#[inline(always)]
pub(in crate::bpf) fn note_send(entry: &mut Connection, end: u64) {
    if entry.flags & flag::ASKED == 0 && entry.conversation.turn.has_open_ask(end) {
        record_ask(entry);
    }
}

/// The connection asks for the first time: from here on it serves.
#[inline(always)]
pub(in crate::bpf) fn record_ask(entry: &mut Connection) {
    if entry.flags & flag::ASKED != 0 {
        return;
    }
    entry.flags |= flag::ASKED | flag::SERVING;
    let is_avoidable = count_ask(entry.slot) != 0;
    // A pre-existing connection was opened before the watch, and may have named its target then.
    if entry.flags & flag::PRE_EXISTING == 0 {
        if is_avoidable {
            entry.flags |= flag::AVOIDABLE;
        }
        if entry.flags & flag::TARGETED == 0 {
            note_target(entry, NO_TARGET);
        }
    }
    if entry.ended_ns != 0 {
        // The peer closed it earlier. It counts as serving for an instant, because its client takes it for usable.
        stop_serving(entry);
    }
}

/// The connection is over. If it never seemed to ask, and what it spoke was not recognised, it may have: then how many were needed
/// is not exact.
#[inline(always)]
pub(in crate::bpf) fn flag_possible_ask(entry: &mut Connection) {
    let is_unknown = entry.conversation.application == Application::Unknown as u8;
    if entry.flags & (flag::ASKED | flag::INEXACT) == flag::INEXACT && is_unknown && entry.written > 0 {
        note_target(entry, TARGET_UNCLEAR);
    }
}

/// A connection of the group with these counters asks. 1 if it was avoidable. A step that is verified by itself, as in
/// `inspection.rs`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn count_ask(slot: u32) -> u32 {
    let Some(counters) = Counters::at(slot) else { return 0 };
    count!(counters, serving);
    let is_peak = raise_peak(counters);
    // Last: whoever reads in between does not take it for avoidable.
    count!(counters, asked);
    u32::from(!is_peak)
}

/// It cannot serve any more: the peer has closed it, or we have, in both directions.
#[inline(always)]
pub(in crate::bpf) fn stop_serving(entry: &mut Connection) {
    if entry.flags & flag::SERVING == 0 {
        return;
    }
    entry.flags &= !flag::SERVING;
    count_stop(entry.slot);
}

/// A connection of the group with these counters serves no more. A step, too. Before, the mark is compared once more: another
/// processor's, at the peak, may have been lost.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn count_stop(slot: u32) -> u32 {
    let Some(counters) = Counters::at(slot) else { return 0 };
    let _ = raise_peak(counters);
    uncount!(counters, serving);
    0
}

/// Raises the mark of this processor to what serves now. Whether there have never been so many.
///
/// A mark a processor, because a counter that only grows could not be shared: until 5.12 no instruction adds and tells
/// what came of it, or compares and exchanges (`BPF_FETCH`, `BPF_CMPXCHG`).
#[inline(always)]
fn raise_peak(counters: Counters) -> bool {
    let mut is_peak = false;
    for _ in 0..COMPARISONS {
        // SAFETY: a pointer into a map value, checked for null. Volatile, because others count there.
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

/// The connection is for this target. Of two that say so first at once, either is noted, and the next one finds out that they
/// differ.
#[inline(always)]
pub(in crate::bpf) fn note_target(entry: &mut Connection, target: u64) {
    entry.flags |= flag::TARGETED;
    let Some(counters) = Counters::of(entry) else { return };
    // SAFETY: pointers into a map value, checked for null. Volatile, because others write there.
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
