//! The processes that a filter follows: those that user space names, and with `--children` or a command their
//! descendants, from the fork on. A fork hook that the kernel skips is made good by the other one, at the next fork of the
//! child, or at its connect: its ancestors tell.

use tcp_reuse_watch_ebpf::Loss;

use super::{
    frozen::frozen,
    maps::{FOLLOWED, ROOTS, count_loss},
    memory::{Direct, Memory, Probed},
    process::{self, Process},
    socket::load,
};

/// How many ancestors tell whether a process descends from a followed one. All between the two must have been missed.
const GENERATIONS: u32 = 8;

/// `struct upid` (include/linux/pid.h): the number is its first field, and a pointer follows.
const UPID_BYTES: u32 = 16;

/// Whether the filter includes the process. If it is the calling one, its ancestors are asked too.
#[inline(always)]
pub(super) fn includes(process: &Process) -> bool {
    is_followed(process.tgid, process.start_ticks)
        || frozen!(FILTER.with_children) != 0 && process::is_current(process.tgid) && follow_descendant(process)
}

/// A fork in the context of the parent. `child` does not run yet.
#[inline(always)]
pub(super) fn forked(child: *const u8) {
    if load!(Direct, child, task_pid as u32) != load!(Direct, child, task_tgid as u32) {
        // A thread.
        return;
    }
    let parent = process::current();
    if is_followed(parent.tgid, parent.start_ticks) || follow_descendant(&parent) {
        follow(load!(Direct, child, task_tgid as u32), process::start_ticks::<Direct>(child));
    }
}

/// A thread of the process exits. The last one ends the process.
#[inline(always)]
pub(super) fn exited(task: *const u8) {
    let tgid = load!(Direct, task, task_tgid as u32);
    if FOLLOWED.get_ptr(tgid).is_none() {
        return;
    }
    let signal = load!(Direct, task, task_signal as u64) as *const u8;
    if load!(Direct, signal, signal_live as u32) == 0 {
        // Fails only if it is gone already.
        let _ = FOLLOWED.remove(tgid);
    }
}

/// Follows a process that user space has named, or whose ancestor is followed. Any task of the machine, with the calling
/// one in the PID namespace of user space.
#[inline(always)]
pub(super) fn follow_named(task: *const u8) {
    let tgid = load!(Direct, task, task_tgid as u32);
    if load!(Direct, task, task_pid as u32) != tgid {
        return;
    }
    let start_ticks = process::start_ticks::<Direct>(task);
    if is_followed(tgid, start_ticks) {
        return;
    }
    let is_named = ROOTS.get_ptr(number_here(task)).is_some();
    if is_named || frozen!(FILTER.with_children) != 0 && has_followed_ancestor::<Direct>(task) {
        follow(tgid, start_ticks);
    }
}

/// The task's id in the PID namespace of the calling task. The numbers of a task begin with the outermost namespace, and
/// an iterator lists tasks of the caller's namespace only (`task_seq_get_next()`, kernel/bpf/task_iter.c).
#[inline(always)]
fn number_here(task: *const u8) -> u32 {
    let caller = load!(Probed, process::task(), task_thread_pid as u64) as *const u8;
    let level = load!(Probed, caller, pid_level as u32);
    let numbers = load!(Probed, task, task_thread_pid as u64).wrapping_add(u64::from(frozen!(OFFSETS.pid_numbers)));
    Probed::read(numbers as *const u8, level.wrapping_mul(UPID_BYTES))
}

/// Follows the calling process if an ancestor is followed.
#[inline(always)]
fn follow_descendant(process: &Process) -> bool {
    let is_descendant = has_followed_ancestor::<Probed>(process::task());
    if is_descendant {
        follow(process.tgid, process.start_ticks);
    }
    is_descendant
}

#[inline(always)]
fn has_followed_ancestor<M: Memory>(task: *const u8) -> bool {
    let mut task = task;
    for _ in 0..GENERATIONS {
        task = load!(M, task, task_real_parent as u64) as *const u8;
        let tgid = load!(M, task, task_tgid as u32);
        if tgid == 0 {
            // The parent of the first process.
            return false;
        }
        let leader = load!(M, task, task_group_leader as u64) as *const u8;
        if is_followed(tgid, process::start_ticks::<M>(leader)) {
            return true;
        }
    }
    false
}

#[inline(always)]
fn is_followed(tgid: u32, start_ticks: u64) -> bool {
    // SAFETY: a value never changes while its process lives.
    unsafe { FOLLOWED.get(tgid) }.is_some_and(|start| *start == start_ticks)
}

#[inline(always)]
fn follow(tgid: u32, start_ticks: u64) {
    if FOLLOWED.insert(tgid, start_ticks, 0).is_err() {
        count_loss(Loss::Unfollowed);
    }
}
