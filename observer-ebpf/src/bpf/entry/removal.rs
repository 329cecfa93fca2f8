//! Removal of a finished entry.

use aya_ebpf::EbpfContext;
use tcp_reuse_watch_ebpf::{Connection, Exactness, Loss, Phase, RowKind};

use super::{exactness::mark_inexact, pool, row::emit_row};
use crate::bpf::{
    counters::{Counters, uncount},
    maps::{CONNECTIONS, count_loss},
};

/// Finishes an entry: sends its row and removes it.
///
/// Only now is the number of exchanges final, because an answer can still be read after CLOSE and a histogram's buckets
/// must never go down. So these counts lag behind `closed` by the sockets that applications still hold.
#[inline(always)]
pub(in crate::bpf) fn finish(ctx: &impl EbpfContext, entry: &mut Connection) {
    let phase = entry.phase;
    // An entry that could not be removed arrives here again.
    if phase != Phase::Over as u8 {
        if phase == Phase::Closed as u8 {
            if entry.unread_bytes == 0 && entry.conversation.end() == Exactness::Inexact {
                mark_inexact(entry);
            }
            pool::flag_possible_ask(entry);
            emit_row(ctx, entry, RowKind::Close);
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
