//! Rows sent to user space through the ring buffer.

use aya_ebpf::helpers::generated::bpf_ringbuf_output;
use tcp_reuse_watch_ebpf::{Connection, Loss, RowKind};

use super::now_ns;
use crate::bpf::{
    frozen::frozen,
    maps::{EVENTS, count_loss},
};

#[inline(always)]
pub(super) fn emit_row(entry: &mut Connection, kind: RowKind) {
    if frozen!(SWITCHES.rows) == 0 {
        return;
    }
    entry.row_kind = kind as u32;
    entry.row_ns = if kind == RowKind::Open { entry.established_ns } else { now_ns() };
    // SAFETY: the helper has no preconditions. The entry is a map value, whole and initialised.
    let sent = unsafe {
        bpf_ringbuf_output(
            (&raw const EVENTS).cast_mut().cast(),
            (&raw mut *entry).cast(),
            size_of::<Connection>() as u64,
            0,
        )
    };
    if sent != 0 {
        count_loss(Loss::RowsLost);
    }
}
