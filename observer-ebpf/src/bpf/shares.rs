//! The shares of counter slots: no process and no user takes the room of all others. Used only when a group is created.
//!
//! Two processors may both take the last slot of a share, because no instruction adds and returns before 5.12. A share
//! is exceeded by at most the number of processors then.

use aya_ebpf::bindings::BPF_NOEXIST;
use tcp_reuse_watch_ebpf::{GroupKey, Holder, Loss, PROCESS, USER};

use super::{
    atomic,
    frozen::frozen,
    maps::{SLOTS_RETURNED, SLOTS_TAKEN, count_loss},
};

/// Takes a slot out of the shares of the group's process and of the user. Returns false if a share is used up.
#[inline(always)]
pub(super) fn take(group: &GroupKey, uid: u32) -> bool {
    if has_room(group.start_ticks, group.tgid, PROCESS) == 0 || has_room(0, uid, USER) == 0 {
        return false;
    }
    add(group, uid, 1);
    true
}

/// Gives a slot back that has served no group.
#[inline(always)]
pub(super) fn give_back(group: &GroupKey, uid: u32) {
    // -1 in two's complement.
    add(group, uid, u64::MAX);
}

#[inline(always)]
fn add(group: &GroupKey, uid: u32, n: u64) {
    charge(group.start_ticks, group.tgid, PROCESS, n);
    charge(0, uid, USER, n);
}

/// Returns 1 if the holder has fewer slots than its share. Verified separately, as in `inspection.rs`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn has_room(start_ticks: u64, id: u32, kind: u32) -> u32 {
    let holder = Holder { start_ticks, id, kind };
    let share = if kind == PROCESS { frozen!(SWITCHES.process_share) } else { frozen!(SWITCHES.user_share) };
    // SAFETY: both are counters that may change at any time. A value that is a moment old is good enough.
    let (taken, returned) = unsafe { (SLOTS_TAKEN.get(holder), SLOTS_RETURNED.get(holder)) };
    let (taken, returned) = (taken.copied().unwrap_or(0), returned.copied().unwrap_or(0));
    u32::from(taken.saturating_sub(returned) < share.into())
}

/// Adds to what the holder has taken. Verified separately.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn charge(start_ticks: u64, id: u32, kind: u32, n: u64) -> u32 {
    let holder = Holder { start_ticks, id, kind };
    for _ in 0..2 {
        if let Some(taken) = SLOTS_TAKEN.get_ptr_mut(holder) {
            atomic::add(taken, n);
            return 0;
        }
        // Another processor may have been faster: the second round adds then.
        if SLOTS_TAKEN.insert(holder, n, u64::from(BPF_NOEXIST)).is_ok() {
            return 0;
        }
    }
    // A slot outside of every share: 10,000 processes hold one each, or an update on the same processor was interrupted.
    count_loss(Loss::NotRemoved);
    0
}
