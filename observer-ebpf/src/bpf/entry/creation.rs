//! Creation of an entry, and the reason for the connection.

use aya_ebpf::EbpfContext;
use tcp_reuse_watch_ebpf::{Connection, GroupKey, Loss, ONE_PROCESS, Why, flag};

use super::{Entry, at, now_ns, warn_untracked};
use crate::bpf::{
    counters::{Counters, EEXIST, count},
    filter,
    maps::{CONNECTIONS, count_loss},
    memory::Memory,
    process::Process,
    socket::Socket,
};

static EMPTY: Connection = Connection::EMPTY;

/// Creates a socket's entry for `process`, if the filter wants it. `when` holds flags of a map update. With
/// `last_chance`, a connection that gets no entry for lack of room counts as untracked.
#[inline(always)]
pub(in crate::bpf) fn create<M: Memory>(
    ctx: &impl EbpfContext,
    socket: &Socket<M>,
    process: &Process,
    when: u32,
    last_chance: bool,
) -> Option<Entry> {
    let group = GroupKey {
        start_ticks: process.start_ticks,
        addr: socket.remote_addr(),
        tgid: process.tgid,
        port: socket.remote_port(),
        kind: ONE_PROCESS,
    };
    if !filter::wants(process, &group) {
        return None;
    }
    if socket.is_mptcp() {
        if last_chance {
            count_loss(Loss::Mptcp);
        }
        return None;
    }
    let group_slot = Counters::find_or_create(&group, process, socket.uid());
    // Inserted empty and filled in place, because it is too large for the stack.
    match CONNECTIONS.insert(socket.address(), &EMPTY, u64::from(when)) {
        Ok(()) => {}
        Err(error) => {
            Counters::cancel(group_slot);
            if error == EEXIST {
                // Another hook was faster.
                return None;
            }
            // The map is full, or a softirq interrupted another update on this processor.
            if last_chance {
                warn_untracked(ctx, group.port, error);
                count_loss(Loss::Untracked);
            }
            return None;
        }
    }
    let entry = at(socket.address())?;
    entry.socket = socket.address();
    entry.connect_ns = now_ns();
    entry.group = group;
    entry.comm = process.comm;
    entry.slot = group_slot.slot();
    entry.flags = if group_slot.is_overflow() { flag::OVERFLOW } else { 0 };
    if let Some(counters) = Counters::of(entry) {
        count!(counters, tracked);
        join_group(entry, counters, group_slot.is_created());
    }
    Some(entry)
}

/// Determines why the connection is opened, from its group's current counters, and counts it as live.
#[inline(always)]
fn join_group(entry: &mut Connection, counters: Counters, is_first: bool) {
    // SAFETY: a pointer into a map value, checked for null.
    let group = unsafe { &*counters.0 };
    entry.flags |= flag::LIVE;
    if entry.flags & flag::OVERFLOW != 0 {
        entry.why = Why::Unknown as u8;
        count!(counters, live);
        return;
    }
    let (live, idle) = (if is_first { 0 } else { group.live }, group.idle);
    let why = if is_first || live == 0 && group.opened + group.pre_existing == 0 {
        Why::First
    } else if idle > 0 {
        Why::MissedReuse
    } else if live > 0 {
        Why::Concurrency
    } else {
        // While the previous connection is closing, its cause is unknown.
        if group.opened + group.pre_existing == group.closed {
            entry.replaced_cause = group.last_cause as u8;
        }
        Why::Replaced
    };
    entry.why = why as u8;
    entry.idle_at_open = idle as u32;
    entry.busy_at_open = live.saturating_sub(idle) as u32 + 1;
    if !is_first {
        count!(counters, live);
    }
}
