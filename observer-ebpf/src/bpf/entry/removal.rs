//! Removal.

use aya_ebpf::EbpfContext;
use tcp_reuse_watch_ebpf::{Connection, Exactness, Loss, Phase, RowKind};

use super::{exactness::mark_inexact, pool, row::emit_row};
use crate::bpf::{
    counters::{Counters, uncount},
    maps::{CONNECTIONS, count_loss},
};

/// Nothing more will come of this entry: its row is sent, and it is removed.
///
/// Only now it is known how many exchanges it has carried: an answer can still be read after CLOSE, and a histogram's
/// buckets must never go down. So these lag behind `closed` by the sockets that an application holds on to.
#[inline(always)]
pub(in crate::bpf) fn finish(ctx: &impl EbpfContext, entry: &mut Connection) {
    let phase = entry.phase;
    // If it could not be removed it is found here again.
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
            // Last: at 0 the group may be read for the last time.
            uncount!(counters, tracked);
        }
    }
    if CONNECTIONS.remove(entry.socket).is_err() {
        count_loss(Loss::NotRemoved);
    }
}
