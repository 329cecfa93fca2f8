//! The calling process. At a connect, the caller owns the connection. A close can run in any context, so there the only
//! question is whether the caller is the exiting owner. At a read, the caller's registers hold the buffer's address.

use aya_ebpf::helpers::{
    bpf_get_current_task, bpf_probe_read_kernel, bpf_probe_read_user,
    generated::{bpf_get_current_task_btf, bpf_task_pt_regs},
};

use tcp_reuse_watch_ebpf::{ABSENT, STACK_BYTES, comm_up_to_nul};

use super::{
    frozen::frozen,
    memory::{Direct, Memory, Probed},
    socket::load,
};

/// `PF_KTHREAD` (include/linux/sched.h).
const PF_KTHREAD: u32 = 0x0020_0000;

/// `PF_EXITING` (include/linux/sched.h).
const PF_EXITING: u32 = 4;

/// Clock ticks in /proc are 1/100 s on every architecture (`USER_HZ`; fs/proc/array.c shows
/// `nsec_to_clock_t(start_boottime)`).
const NS_PER_TICK: u64 = 10_000_000;

/// A process, described by its thread-group leader, because a thread may have a name of its own ("GC Thread#0").
#[derive(Clone, Copy)]
pub(super) struct Process {
    /// 0 for the kernel.
    pub(super) tgid: u32,
    pub(super) start_ticks: u64,
    pub(super) comm: [u8; 16],
}

/// All kernel threads count as one process.
const KERNEL: Process = Process { tgid: 0, start_ticks: 0, comm: *b"kernel\0\0\0\0\0\0\0\0\0\0" };

/// The calling task as a typed pointer for direct loads, because a connect reads five of its fields. None unless every
/// program can have it: `bpf_get_current_task_btf` exists since 5.11, and later in sock_ops.
#[inline(always)]
fn typed_task() -> Option<*const u8> {
    // SAFETY: the helper has no preconditions.
    (frozen!(SWITCHES.has_typed_task) != 0).then(|| unsafe { bpf_get_current_task_btf() }.cast_const().cast())
}

/// Address of the calling task.
#[inline(always)]
pub(super) fn task() -> *const u8 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_get_current_task() as *const u8 }
}

/// The calling process. The read cannot fail: a running task exists, and so does its group leader.
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
        start_ticks: start_ticks::<M>(leader),
        // A shorter new name leaves the old one's tail in `task->comm` (until 5.17).
        comm: comm_up_to_nul(load!(M, leader, task_comm as [u64; 2])),
    }
}

/// When the process of a thread-group leader started, in clock ticks since boot.
#[inline(always)]
pub(super) fn start_ticks<M: Memory>(leader: *const u8) -> u64 {
    load!(M, leader, task_start_boottime as u64) / NS_PER_TICK
}

/// Whether the calling task belongs to this process.
#[inline(always)]
pub(super) fn is_current(tgid: u32) -> bool {
    load!(Probed, task(), task_tgid as u32) == tgid
}

/// Whether the calling task belongs to this process and is exiting, which closes its descriptors.
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

/// The cgroup id (v2) of the calling task, if the task belongs to this process. 0 if unknown. Read by probe reads,
/// because sock_ops lacks `bpf_get_current_cgroup_id` on some kernels (net/core/filter.c, `sock_ops_func_proto`).
#[inline(always)]
pub(super) fn cgroup_of(tgid: u32) -> u64 {
    let task = task() as u64;
    if read::<u32>(task, frozen!(OFFSETS.task_tgid)) != Some(tgid) {
        return 0;
    }
    read_optional(task, frozen!(OFFSETS.task_cgroups))
        .and_then(|set| read_optional(set, frozen!(OFFSETS.css_set_default)))
        .and_then(|cgroup| read_optional(cgroup, frozen!(OFFSETS.cgroup_node)))
        .and_then(|node| read_optional(node, frozen!(OFFSETS.node_id)))
        .unwrap_or(0)
}

/// The buffer that the calling task reads into.
#[derive(Clone, Copy)]
pub(super) struct UserBuffer {
    pub(super) address: u64,
    pub(super) len: u64,
}

/// Numbers of system calls that read from a socket: `arch/x86/entry/syscalls/syscall_64.tbl`, and
/// `include/uapi/asm-generic/unistd.h` for 64-bit ARM. In the 32-bit tables these numbers belong to calls that read
/// nothing.
struct ReadCalls {
    read: u64,
    recvfrom: u64,
    readv: u64,
    recvmsg: u64,
}

const X86_64: ReadCalls = ReadCalls { read: 0, recvfrom: 45, readv: 19, recvmsg: 47 };
const ARM64: ReadCalls = ReadCalls { read: 63, recvfrom: 207, readv: 65, recvmsg: 212 };

/// Offset of `msg_iov` in `struct user_msghdr` (include/linux/socket.h), and of the length in `struct iovec`. Both are
/// system call ABI and the same on both architectures.
const MSG_IOV: u64 = 16;
const IOV_LEN: u64 = 8;

/// The buffer that the calling task passed to its reading system call. The first one, if there are several.
#[inline(always)]
pub(super) fn read_buffer() -> Option<UserBuffer> {
    let regs = registers()?;
    let is_x86 = frozen!(OFFSETS.regs_orig_ax) != ABSENT;
    let (number, second, third, calls) = if is_x86 {
        (u64::from(frozen!(OFFSETS.regs_orig_ax)), frozen!(OFFSETS.regs_si), frozen!(OFFSETS.regs_dx), X86_64)
    } else if frozen!(OFFSETS.regs_regs) != ABSENT {
        let registers = frozen!(OFFSETS.regs_regs);
        (u64::from(frozen!(OFFSETS.regs_syscallno)), registers + 8, registers + 16, ARM64)
    } else {
        return None;
    };
    // `syscallno` is an int.
    let call = if is_x86 { read::<u64>(regs, number as u32)? } else { u64::from(read::<u32>(regs, number as u32)?) };
    let pointer = read::<u64>(regs, second)?;
    if call == calls.read || call == calls.recvfrom {
        return Some(UserBuffer { address: pointer, len: read(regs, third)? });
    }
    let buffers = if call == calls.readv {
        pointer
    } else if call == calls.recvmsg {
        read_user(pointer + MSG_IOV)?
    } else {
        return None;
    };
    Some(UserBuffer { address: read_user(buffers)?, len: read_user(buffers + IOV_LEN)? })
}

/// Address of the registers with which the calling task entered the kernel.
#[inline(always)]
fn registers() -> Option<u64> {
    if frozen!(SWITCHES.has_task_regs) != 0 {
        // SAFETY: the helpers require a typed task, and this is the current one.
        return Some(unsafe { bpf_task_pt_regs(bpf_get_current_task_btf()) } as u64);
    }
    if frozen!(OFFSETS.regs_last) == ABSENT {
        return None;
    }
    let end = u64::from(frozen!(OFFSETS.regs_last)) + 8;
    Some(read::<u64>(task() as u64, frozen!(OFFSETS.task_stack))? + STACK_BYTES - end)
}

#[inline(always)]
fn read_user(address: u64) -> Option<u64> {
    // SAFETY: a probe read fails on a bad address instead of faulting.
    unsafe { bpf_probe_read_user(address as *const u64) }.ok()
}

/// Reads a field that some kernels lack.
#[inline(always)]
fn read_optional(base: u64, offset: u32) -> Option<u64> {
    if offset == ABSENT { None } else { read(base, offset) }
}

#[inline(always)]
fn read<T>(base: u64, offset: u32) -> Option<T> {
    // SAFETY: a probe read fails on a bad address instead of faulting.
    unsafe { bpf_probe_read_kernel((base as *const u8).wrapping_add(offset as usize).cast::<T>()) }.ok()
}
