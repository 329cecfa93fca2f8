//! What the processes beside a watch need: the helper, its inspections of other processes, and the remover of a socket.
//!
//! None of them can signal a process, make a socket, or read or write the memory of others by calls for that. The helper
//! keeps CAP_SYS_PTRACE, with which a file like /proc/PID/mem could be written, so files are opened for reading only.

use libc::c_long;
use seccompiler::{SeccompCmpArgLen::Qword, SeccompCmpOp, SeccompCondition, SeccompRule};

use super::{Rules, one_of, unconditional, without};

/// To read files of /proc, and executables.
const INSPECTING: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_close,
    libc::SYS_exit_group,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_newfstatat,
    libc::SYS_pread64,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_restart_syscall,
    libc::SYS_statx,
    libc::SYS_write,
];

/// What the helper needs on top of that.
const HELPING: &[c_long] = &[
    // Requests and responses.
    libc::SYS_clock_gettime,
    libc::SYS_ppoll,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    // Inspections, in processes of their own.
    libc::SYS_clone3,
    libc::SYS_getpid,
    libc::SYS_pidfd_open,
    libc::SYS_pipe2,
    libc::SYS_rseq,
    libc::SYS_rt_sigprocmask,
    libc::SYS_set_robust_list,
    libc::SYS_wait4,
    // An inspection, before it restricts itself further.
    libc::SYS_close_range,
    libc::SYS_dup3,
    libc::SYS_getppid,
    libc::SYS_seccomp,
    libc::SYS_setitimer,
];

/// To wait for the end of the watch, and to remove a file.
const REMOVING: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_close,
    libc::SYS_exit_group,
    libc::SYS_munmap,
    libc::SYS_newfstatat,
    libc::SYS_read,
    libc::SYS_recvfrom,
    libc::SYS_restart_syscall,
    libc::SYS_unlinkat,
];

/// What only older architectures have.
#[cfg(target_arch = "x86_64")]
const INSPECTING_OF_OLD: &[c_long] = &[libc::SYS_readlink];
#[cfg(not(target_arch = "x86_64"))]
const INSPECTING_OF_OLD: &[c_long] = &[];
#[cfg(target_arch = "x86_64")]
const HELPING_OF_OLD: &[c_long] = &[libc::SYS_alarm, libc::SYS_dup2, libc::SYS_poll];
#[cfg(not(target_arch = "x86_64"))]
const HELPING_OF_OLD: &[c_long] = &[];

/// Flags of clone(2) for fork(2), which say where the child's id is written.
const FORK: u64 = (libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID) as u64;

pub(super) fn rules_of_inspection() -> anyhow::Result<Rules> {
    let mut rules = unconditional(&[INSPECTING, INSPECTING_OF_OLD]);
    rules.insert(libc::SYS_fcntl, one_of(1, &[libc::F_GETFD as u64])?);
    rules.insert(libc::SYS_mmap, without(2, libc::PROT_EXEC as u64)?);
    rules.insert(libc::SYS_openat, without(2, (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC) as u64)?);
    Ok(rules)
}

pub(super) fn rules_of_helper() -> anyhow::Result<Rules> {
    let mut rules = rules_of_inspection()?;
    rules.extend(unconditional(&[HELPING, HELPING_OF_OLD]));
    let is_fork = SeccompCondition::new(0, Qword, SeccompCmpOp::MaskedEq(!FORK), libc::SIGCHLD as u64)?;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![is_fork])?]);
    // Neither the name nor the capabilities change any more.
    rules.insert(libc::SYS_prctl, one_of(0, &[libc::PR_SET_PDEATHSIG as u64, libc::PR_SET_NO_NEW_PRIVS as u64])?);
    Ok(rules)
}

pub(super) fn rules_of_remover() -> Rules {
    unconditional(&[REMOVING])
}
