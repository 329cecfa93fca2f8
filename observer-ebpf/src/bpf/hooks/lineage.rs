//! Programs that follow processes: tracepoints with typed arguments (tp_btf) at fork and exit, and an iterator over the
//! tasks that run already (iter/task, since 5.8). Loaded only for a filter by process id or for a command.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::bpf::lineage::{exited, follow_named, forked};

/// `task_newtask(struct task_struct *task, unsigned long clone_flags)`, since 3.4. Fires at the end of `copy_process()`
/// (kernel/fork.c), in the context of the parent.
#[btf_tracepoint(function = "task_newtask")]
fn task_created(ctx: BtfTracePointContext) -> i32 {
    forked(ctx.arg(0));
    0
}

/// `sched_process_fork(struct task_struct *parent, struct task_struct *child)`, since 2.6.28. Fires in `kernel_clone()`
/// (kernel/fork.c), in the context of the parent and before the child runs. Sees the same as `task_created`, because the
/// kernel may skip either.
#[btf_tracepoint(function = "sched_process_fork")]
fn process_forked(ctx: BtfTracePointContext) -> i32 {
    forked(ctx.arg(1));
    0
}

/// `sched_process_exit(struct task_struct *p)`, since 2.6.28, with a second argument since 6.16. Fires for each thread,
/// after `do_exit()` (kernel/exit.c) has taken it out of `signal->live`.
#[btf_tracepoint(function = "sched_process_exit")]
fn process_exited(ctx: BtfTracePointContext) -> i32 {
    exited(ctx.arg(0));
    0
}

/// `struct bpf_iter__task` (kernel/bpf/task_iter.c). The pointers take 8 bytes on every architecture.
#[repr(C)]
struct Context {
    meta: *const u8,
    /// NULL after the last task.
    task: *const u8,
}

/// Follows the running processes that user space has named, and their descendants.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
extern "C" fn named_processes(ctx: *mut Context) -> i32 {
    // SAFETY: `ctx` is the program's context.
    let task = unsafe { (*ctx).task };
    if !task.is_null() {
        follow_named(task);
    }
    0
}
