//! Which process is calling. Asked in a connect, where the caller is the one whose connection it is. A close can run in
//! any context: there it is only asked whether it is that process, and ends.

use aya_ebpf::helpers::{bpf_get_current_task, bpf_probe_read_kernel, generated::bpf_get_current_task_btf};

use tcp_reuse_watch_ebpf::{ABSENT, name_up_to_nul};

use super::{
    frozen::frozen,
    memory::{Direct, Memory, Probed},
    socket::load,
};

/// `PF_KTHREAD` of include/linux/sched.h.
const PF_KTHREAD: u32 = 0x0020_0000;

/// `PF_EXITING`, there too.
const PF_EXITING: u32 = 4;

/// Clock ticks in /proc are hundredths of a second on every architecture (`USER_HZ`; fs/proc/array.c shows
/// `nsec_to_clock_t(start_boottime)`).
const NS_PER_TICK: u64 = 10_000_000;

/// A process: its thread-group leader. A thread may have a name of its own ("GC Thread#0").
#[derive(Clone, Copy)]
pub(super) struct Process {
    /// 0 for the kernel.
    pub(super) tgid: u32,
    pub(super) start_ticks: u64,
    pub(super) comm: [u8; 16],
}

/// Kernel threads are one process here.
const KERNEL: Process = Process { tgid: 0, start_ticks: 0, comm: *b"kernel\0\0\0\0\0\0\0\0\0\0" };

/// The calling task, typed, so that it can be read directly: a connect reads five of its fields. None where not every program
/// can have it so: `bpf_get_current_task_btf` came with 5.11, and to sock_ops later.
#[inline(always)]
fn typed_task() -> Option<*const u8> {
    // SAFETY: the helper has no preconditions.
    (frozen!(SWITCHES.has_typed_task) != 0).then(|| unsafe { bpf_get_current_task_btf() }.cast_const().cast())
}

/// The calling task's address.
#[inline(always)]
fn task() -> *const u8 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_get_current_task() as *const u8 }
}

/// The calling process. Reading it does not fail: a task that runs is there, and so is the leader of its group.
#[inline(always)]
pub(super) fn current() -> Process {
    match typed_task() {
        Some(task) => process_of::<Direct>(task),
        None => process_of::<Probed>(task()),
    }
}

#[inline(always)]
fn process_of<M: Memory>(task: *const u8) -> Process {
    if load!(M, task, task_flags as u32) & PF_KTHREAD != 0 {
        return KERNEL;
    }
    let leader = load!(M, task, task_group_leader as u64) as *const u8;
    Process {
        tgid: load!(M, leader, task_tgid as u32),
        start_ticks: load!(M, leader, task_start_boottime as u64) / NS_PER_TICK,
        // One that got shorter has left the old one's tail in `task->comm` (until 5.17).
        comm: name_up_to_nul(load!(M, leader, task_comm as [u64; 2])),
    }
}

/// Whether the calling task is one of this process's, on its way out: its descriptors are being closed.
#[inline(always)]
pub(super) fn is_exiting(tgid: u32) -> bool {
    match typed_task() {
        Some(task) => is_exiting_one_of::<Direct>(task, tgid),
        None => is_exiting_one_of::<Probed>(task(), tgid),
    }
}

#[inline(always)]
fn is_exiting_one_of<M: Memory>(task: *const u8, tgid: u32) -> bool {
    load!(M, task, task_flags as u32) & PF_EXITING != 0 && load!(M, task, task_tgid as u32) == tgid
}

/// The id of the calling task's cgroup (v2), if the task is of this process; 0 if it is not known. By probe reads, because
/// `bpf_get_current_cgroup_id` is not for sock_ops on every kernel (net/core/filter.c, `sock_ops_func_proto`).
#[inline(always)]
pub(super) fn cgroup_of(tgid: u32) -> u64 {
    let task = task() as u64;
    if read::<u32>(task, frozen!(OFFSETS.task_tgid)) != Some(tgid) {
        return 0;
    }
    read_present(task, frozen!(OFFSETS.task_cgroups))
        .and_then(|set| read_present(set, frozen!(OFFSETS.css_set_default)))
        .and_then(|cgroup| read_present(cgroup, frozen!(OFFSETS.cgroup_node)))
        .and_then(|node| read_present(node, frozen!(OFFSETS.node_id)))
        .unwrap_or(0)
}

/// What is read from a field that a kernel may not have.
#[inline(always)]
fn read_present(base: u64, offset: u32) -> Option<u64> {
    if offset == ABSENT { None } else { read(base, offset) }
}

#[inline(always)]
fn read<T>(base: u64, offset: u32) -> Option<T> {
    // SAFETY: a probe read fails on a bad address instead of faulting.
    unsafe { bpf_probe_read_kernel((base as *const u8).wrapping_add(offset as usize).cast::<T>()) }.ok()
}
