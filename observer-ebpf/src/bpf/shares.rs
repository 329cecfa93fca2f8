//! The shares of counter slots: no process and no user takes the room of all others. Used only when a group is created.
//!
//! Two processors may both take the last slot of a share, because no instruction adds and returns before 5.12. A share
//! is exceeded by at most the number of processors then.

use aya_ebpf::bindings::BPF_NOEXIST;
use tcp_reuse_watch_ebpf::{GroupKey, Holder, Loss};

use super::{
    atomic,
    frozen::frozen,
    maps::{SLOTS_RETURNED, SLOTS_TAKEN, count_loss},
};

/// Takes a slot out of the shares of the group's process and of the user. Returns false if a share is used up.
#[inline(always)]
pub(super) fn take(group: &GroupKey, uid: u32) -> bool {
    let (process, user) = (Holder::process(group), Holder::user(uid));
    if !is_below(&process, frozen!(SWITCHES.process_share)) || !is_below(&user, frozen!(SWITCHES.user_share)) {
        return false;
    }
    add(&process, 1);
    add(&user, 1);
    true
}

/// Gives a slot back that has served no group.
#[inline(always)]
pub(super) fn give_back(group: &GroupKey, uid: u32) {
    add(&Holder::process(group), u64::MAX);
    add(&Holder::user(uid), u64::MAX);
}

/// Whether the holder has fewer slots than its share.
#[inline(always)]
fn is_below(holder: &Holder, share: u32) -> bool {
    // SAFETY: both are counters that may change at any time. A value that is a moment old is good enough.
    let (taken, returned) = unsafe { (SLOTS_TAKEN.get(holder), SLOTS_RETURNED.get(holder)) };
    let (taken, returned) = (taken.copied().unwrap_or(0), returned.copied().unwrap_or(0));
    taken.saturating_sub(returned) < share.into()
}

/// Adds to what the holder has taken. -1 in two's complement subtracts one.
#[inline(always)]
fn add(holder: &Holder, n: u64) {
    for _ in 0..2 {
        if let Some(taken) = SLOTS_TAKEN.get_ptr_mut(holder) {
            atomic::add(taken, n);
            return;
        }
        // Another processor may have been faster: the second round adds then.
        if SLOTS_TAKEN.insert(holder, &n, u64::from(BPF_NOEXIST)).is_ok() {
            return;
        }
    }
    // A slot outside every share. There is room for every holder, so only an update by an interrupted program on the
    // same processor leads here.
    count_loss(Loss::NotRemoved);
}
