//! Removal of an entry: of a finished one, and of one whose end no hook has seen.

use tcp_reuse_watch_ebpf::{Connection, Exactness, Loss, Phase, RowKind};

use super::{at, closing::close_unseen, exactness::mark_inexact, failure::fail, pool, row::emit_row};
use crate::bpf::{
    counters::{Counters, uncount},
    maps::{CONNECTIONS, count_loss},
};

/// Finishes the entry of a socket that is gone, or that connects again. Its end was not seen, and the socket no longer
/// holds its numbers. Verified separately, as in `inspection.rs`, so it takes the key and not the entry.
#[unsafe(no_mangle)]
#[inline(never)]
pub(in crate::bpf) extern "C" fn finish_stale(socket: u64) -> u32 {
    if let Some(entry) = at(socket) {
        fail(entry, u32::MAX, 0);
        close_unseen(entry);
        finish(entry);
    }
    0
}

/// Finishes an entry: sends its row and removes it.
///
/// Only now is the number of exchanges final, because an answer can still be read after CLOSE and a histogram's buckets
/// must never go down. So these counts lag behind `closed` by the sockets that applications still hold.
#[inline(always)]
pub(in crate::bpf) fn finish(entry: &mut Connection) {
    let phase = entry.phase;
    // An entry that could not be removed arrives here again.
    if phase != Phase::Over as u8 {
        if phase == Phase::Closed as u8 {
            if entry.unread_bytes == 0 && entry.conversation.end() == Exactness::Inexact {
                mark_inexact(entry);
            }
            pool::flag_possible_ask(entry);
            emit_row(entry, RowKind::Close);
        }
        entry.phase = Phase::Over as u8;
        if let Some(counters) = Counters::of(entry) {
            if phase == Phase::Closed as u8 {
                counters.count_finished(entry.exchanges);
            }
            // Last: at 0 user space may read the group for the last time.
            uncount!(counters, tracked);
        }
    }
    if CONNECTIONS.remove(entry.socket).is_err() {
        count_loss(Loss::NotRemoved);
    }
}
