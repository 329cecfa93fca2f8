//! What a watch needs once it is attached: its maps and open files, threads, and connections of clients that ask for metrics.

use libc::c_long;
use rustix::process::getpid;
use seccompiler::{SeccompCmpArgLen::Qword, SeccompCmpOp, SeccompCondition, SeccompRule};

use super::{Rules, one_of, unconditional, without};

/// Without conditions.
const ALLOWED: &[c_long] = &[
    // Memory.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // Open files.
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fdatasync,
    libc::SYS_fstat,
    libc::SYS_fsync,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    // What files there are.
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_getcwd,
    libc::SYS_newfstatat,
    libc::SYS_readlinkat,
    libc::SYS_statx,
    libc::SYS_unlinkat,
    // Waiting.
    libc::SYS_clock_nanosleep,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_futex,
    libc::SYS_nanosleep,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_restart_syscall,
    libc::SYS_socketpair,
    // Connections of clients that ask for metrics.
    libc::SYS_accept4,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    // Threads and signals.
    libc::SYS_clone3,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_get_robust_list,
    libc::SYS_membarrier,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    // This process and the machine.
    libc::SYS_capget,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpgid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_getuid,
    libc::SYS_prlimit64,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    // Whether other processes live.
    libc::SYS_pidfd_open,
    libc::SYS_wait4,
    libc::SYS_waitid,
];

/// What only older architectures have.
#[cfg(target_arch = "x86_64")]
const ALLOWED_OF_OLD: &[c_long] = &[
    libc::SYS_access,
    libc::SYS_dup2,
    libc::SYS_epoll_wait,
    libc::SYS_getpgrp,
    libc::SYS_getrlimit,
    libc::SYS_lstat,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_select,
    libc::SYS_stat,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_OF_OLD: &[c_long] = &[];

/// For the client and the servers of the demo.
const ALLOWED_IN_DEMO: &[c_long] = &[libc::SYS_connect, libc::SYS_socket];

/// Commands of bpf(2) (include/uapi/linux/bpf.h): on maps, and to list sockets by an iterator.
const BPF_COMMANDS: &[u64] = &[
    1,  // BPF_MAP_LOOKUP_ELEM
    2,  // BPF_MAP_UPDATE_ELEM
    3,  // BPF_MAP_DELETE_ELEM
    4,  // BPF_MAP_GET_NEXT_KEY
    15, // BPF_OBJ_GET_INFO_BY_FD
    28, // BPF_LINK_CREATE, of iterators: programs that attach elsewhere are attached already
    33, // BPF_ITER_CREATE
];

/// Modes and size of the terminal, and sockets that do not block. The first eight are those of termios.
const IOCTLS: &[u64] = &[
    0x5401,      // TCGETS
    0x5402,      // TCSETS
    0x5403,      // TCSETSW
    0x5404,      // TCSETSF
    0x802c_542a, // TCGETS2
    0x402c_542b, // TCSETS2
    0x402c_542c, // TCSETSW2
    0x402c_542d, // TCSETSF2
    0x5413,      // TIOCGWINSZ
    0x541b,      // FIONREAD
    0x5421,      // FIONBIO
];

/// Commands of fcntl(2). Others let the kernel send a signal to any process (`F_SETOWN`).
const FCNTLS: &[u64] = &[
    libc::F_DUPFD as u64,
    libc::F_DUPFD_CLOEXEC as u64,
    libc::F_GETFD as u64,
    libc::F_SETFD as u64,
    libc::F_GETFL as u64,
    libc::F_SETFL as u64,
];

/// `PR_SET_VMA` of include/uapi/linux/prctl.h, with which glibc names its memory.
const PR_SET_VMA: u64 = 0x5356_4d41;

pub(super) fn rules() -> anyhow::Result<Rules> {
    let mut rules = unconditional(&[ALLOWED, ALLOWED_OF_OLD]);
    let own = u64::try_from(getpid().as_raw_nonzero().get())?;
    rules.insert(libc::SYS_bpf, one_of(0, BPF_COMMANDS)?);
    rules.insert(libc::SYS_fcntl, one_of(1, FCNTLS)?);
    rules.insert(libc::SYS_ioctl, one_of(1, IOCTLS)?);
    rules.insert(libc::SYS_prctl, one_of(0, &[libc::PR_SET_NAME as u64, libc::PR_GET_NAME as u64, PR_SET_VMA])?);
    // Signals to this process only. Signal 0 asks whether another one exists.
    let mut kill = one_of(0, &[own])?;
    kill.extend(one_of(1, &[0])?);
    rules.insert(libc::SYS_kill, kill);
    rules.insert(libc::SYS_tgkill, one_of(0, &[own])?);
    // No new code.
    let executable = libc::PROT_EXEC as u64;
    rules.insert(libc::SYS_mmap, without(2, executable)?);
    rules.insert(libc::SYS_mprotect, without(2, executable)?);
    // No new files.
    rules.insert(libc::SYS_openat, without(2, (libc::O_CREAT | libc::O_TRUNC) as u64)?);
    // Threads, but no processes.
    let thread = libc::CLONE_THREAD as u64;
    let is_thread = SeccompCondition::new(0, Qword, SeccompCmpOp::MaskedEq(thread), thread)?;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![is_thread])?]);
    Ok(rules)
}

/// The demo has a client and servers of its own.
pub(super) fn rules_of_demo() -> anyhow::Result<Rules> {
    let mut rules = rules()?;
    rules.extend(unconditional(&[ALLOWED_IN_DEMO]));
    Ok(rules)
}
