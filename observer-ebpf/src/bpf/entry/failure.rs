//! Connects that fail.

use tcp_reuse_watch_ebpf::{Connection, Failure, Phase, RowKind};

use super::{errno, idleness::leave_group, reread, row::emit_row};
use crate::bpf::counters::{Counters, add_at};

/// Records a failed connect.
#[inline(always)]
pub(in crate::bpf) fn fail(entry: &mut Connection, error: u32, shutdown: u8) {
    if entry.phase != Phase::Connecting as u8 {
        return;
    }
    entry.phase = Phase::Failed as u8;
    leave_group(entry);
    entry.error = error;
    let failure = match error {
        // close() and shutdown() shut both directions. A connect without a free local port shuts none.
        0 if shutdown != 0 => Failure::Abandoned,
        0 => Failure::AddressNotAvailable,
        errno::CONNREFUSED => Failure::Refused,
        errno::TIMEDOUT => Failure::TimedOut,
        errno::HOSTUNREACH => Failure::HostUnreachable,
        errno::NETUNREACH => Failure::NetworkUnreachable,
        errno::CONNRESET => Failure::Reset,
        _ => Failure::Other,
    };
    entry.failure = failure as u8;
    if let Some(counters) = Counters::of(entry) {
        // SAFETY: only an address inside the map value is computed.
        add_at(unsafe { &raw mut (*counters.0).failures }, reread(&entry.failure), 1);
    }
    emit_row(entry, RowKind::Failed);
}
