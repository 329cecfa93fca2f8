//! The system calls that a watch may still make, by seccomp. Any other fails with EPERM.
//!
//! A list of what is needed, because what is not can do harm: sockets, programs, other processes' memory, new files.

use std::collections::BTreeMap;

use libc::c_long;
use rustix::process::getpid;
use seccompiler::{
    BpfProgram, SeccompAction,
    SeccompCmpArgLen::{Dword, Qword},
    SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, apply_filter,
};

use super::Purpose;

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
    libc::SYS_fcntl,
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

/// `PR_SET_VMA` of include/uapi/linux/prctl.h, with which glibc names its memory.
const PR_SET_VMA: u64 = 0x5356_4d41;

pub(super) fn restrict(purpose: Purpose) -> anyhow::Result<()> {
    let architecture = std::env::consts::ARCH.try_into()?;
    let refuse = |errno: i32| SeccompAction::Errno(errno.cast_unsigned());
    // The flags of clone3(2) are in memory, which a filter cannot read. glibc falls back to clone(2) if it does not exist.
    // Where two filters disagree, the kernel takes the refusal.
    let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let without_clone3 = SeccompFilter::new(clone3, SeccompAction::Allow, refuse(libc::ENOSYS), architecture)?;
    let filter = SeccompFilter::new(rules(purpose)?, refuse(libc::EPERM), SeccompAction::Allow, architecture)?;
    let programs = [BpfProgram::try_from(without_clone3)?, BpfProgram::try_from(filter)?];
    programs.iter().try_for_each(|program| Ok(apply_filter(program)?))
}

fn rules(purpose: Purpose) -> anyhow::Result<BTreeMap<c_long, Vec<SeccompRule>>> {
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> =
        ALLOWED.iter().chain(ALLOWED_OF_OLD).map(|call| (*call, Vec::new())).collect();
    if purpose == Purpose::Demonstrating {
        rules.extend(ALLOWED_IN_DEMO.iter().map(|call| (*call, Vec::new())));
    }
    let own = u64::try_from(getpid().as_raw_nonzero().get())?;
    rules.insert(libc::SYS_bpf, one_of(0, BPF_COMMANDS)?);
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

/// The argument is one of these values.
fn one_of(argument: u8, values: &[u64]) -> anyhow::Result<Vec<SeccompRule>> {
    let rule = |value: &u64| -> anyhow::Result<SeccompRule> {
        Ok(SeccompRule::new(vec![SeccompCondition::new(argument, Dword, SeccompCmpOp::Eq, *value)?])?)
    };
    values.iter().map(rule).collect()
}

/// The argument has none of these bits.
fn without(argument: u8, bits: u64) -> anyhow::Result<Vec<SeccompRule>> {
    Ok(vec![SeccompRule::new(vec![SeccompCondition::new(argument, Qword, SeccompCmpOp::MaskedEq(bits), 0)?])?])
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io,
        net::{TcpListener, UdpSocket},
        process::Command,
        thread,
    };

    use rustix::{
        io::Errno,
        process::{Pid, Signal, getppid, kill_process, test_kill_process},
        thread::set_no_new_privs,
    };

    use super::*;

    fn errno<T>(result: io::Result<T>) -> Option<i32> {
        result.err().and_then(|error| error.raw_os_error())
    }

    /// A filter is a thread's own.
    fn confined<T: Send + 'static>(purpose: Purpose, run: impl FnOnce() -> T + Send + 'static) -> T {
        let thread = thread::spawn(move || {
            set_no_new_privs(true).unwrap();
            restrict(purpose).unwrap();
            run()
        });
        thread.join().unwrap()
    }

    #[test]
    fn what_could_do_harm_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (path, listener) = (folder.path().join("new"), TcpListener::bind("127.0.0.1:0").unwrap());
        let forbidden = confined(Purpose::Watching, move || {
            let parent = getppid().unwrap_or(Pid::INIT);
            let refused = |result: rustix::io::Result<()>| result.err().map(Errno::raw_os_error);
            // SAFETY: the calls are refused, or fail on their arguments.
            let call = |number| unsafe { libc::syscall(number, -1, -1, -1, -1, -1) };
            let raw = |number| (call(number) < 0).then(|| io::Error::last_os_error().raw_os_error()).flatten();
            vec![
                ("socket", errno(UdpSocket::bind("127.0.0.1:0"))),
                ("connect", errno(std::net::TcpStream::connect(listener.local_addr().unwrap()))),
                ("exec", errno(Command::new("/bin/true").spawn())),
                ("create", errno(File::create(&path))),
                ("kill", refused(kill_process(parent, Signal::WINCH))),
                ("ptrace", raw(libc::SYS_ptrace)),
                ("process_vm_readv", raw(libc::SYS_process_vm_readv)),
                ("process_vm_writev", raw(libc::SYS_process_vm_writev)),
                ("pidfd_getfd", raw(libc::SYS_pidfd_getfd)),
                ("execve", raw(libc::SYS_execve)),
                ("mount", raw(libc::SYS_mount)),
                ("setuid", raw(libc::SYS_setuid)),
                ("bpf", raw(libc::SYS_bpf)),
                ("init_module", raw(libc::SYS_init_module)),
                ("io_uring_setup", raw(libc::SYS_io_uring_setup)),
                ("userfaultfd", raw(libc::SYS_userfaultfd)),
            ]
        });
        for (call, errno) in forbidden {
            assert_eq!(errno, Some(libc::EPERM), "{call}");
        }
    }

    #[test]
    fn what_a_watch_needs_is_allowed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let read = confined(Purpose::Watching, move || {
            listener.accept().unwrap();
            test_kill_process(getppid().unwrap()).unwrap();
            thread::spawn(|| std::fs::read_to_string("/proc/self/stat").unwrap()).join().unwrap()
        });
        assert!(!read.is_empty());
        drop(client);
    }

    #[test]
    fn demo_may_connect() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        confined(Purpose::Demonstrating, move || std::net::TcpStream::connect(address).map(drop)).unwrap();
        assert_eq!(errno(confined(Purpose::Demonstrating, || File::create("/tmp/never").map(drop))), Some(libc::EPERM));
    }
}
