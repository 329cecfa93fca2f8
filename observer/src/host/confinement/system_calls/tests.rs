//! What is refused and what is allowed, tried under each filter.

use std::{
    fs::File,
    io,
    net::{TcpListener, UdpSocket},
    process::Command,
    ptr, slice,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
    thread,
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitOptions, getpid, getppid, kill_process, test_kill_process, waitpid},
    thread::{CapabilitySet, capabilities, set_no_new_privs},
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
        let call = |number: c_long, second: i32| unsafe { libc::syscall(number, -1, second, -1, -1, -1) };
        let failed = |number, second| (call(number, second) < 0).then(io::Error::last_os_error);
        let raw = |number| failed(number, -1).and_then(|error| error.raw_os_error());
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
            ("F_SETOWN", failed(libc::SYS_fcntl, libc::F_SETOWN).and_then(|error| error.raw_os_error())),
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

const ALLOWED: u8 = 1;
const REFUSED: u8 = 2;

/// A system call that succeeds, or fails otherwise than by EPERM, in a process of root without a filter.
struct Call(&'static str, c_long, [c_long; 6]);

/// The calls that do not fail with EPERM in a process of its own. The filters are too narrow for threads, which could not
/// end.
fn allowed_in_process(purpose: Option<Purpose>, calls: &[Call]) -> Vec<&'static str> {
    let shared = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: new memory, which the process shares.
    let memory = unsafe { libc::mmap(ptr::null_mut(), calls.len(), libc::PROT_READ | libc::PROT_WRITE, shared, -1, 0) };
    assert_ne!(memory, libc::MAP_FAILED);
    // SAFETY: the memory is zeroed, is as long, and is never unmapped.
    let results = unsafe { slice::from_raw_parts(memory.cast::<AtomicU8>(), calls.len()) };
    // SAFETY: memory can be allocated after a fork in glibc, and the child does nothing else that takes a lock.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        set_no_new_privs(true).unwrap();
        purpose.map_or(Ok(()), restrict).unwrap();
        for (Call(_, number, [a, b, c, d, e, f]), result) in calls.iter().zip(results) {
            // SAFETY: these calls are refused, or harm nobody.
            let returned = unsafe { libc::syscall(*number, *a, *b, *c, *d, *e, *f) };
            let is_refused = returned < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EPERM);
            result.store(if is_refused { REFUSED } else { ALLOWED }, Relaxed);
        }
        // SAFETY: _exit(2) has no preconditions.
        unsafe { libc::_exit(0) };
    }
    waitpid(Pid::from_raw(child), WaitOptions::empty()).unwrap();
    let results: Vec<u8> = results.iter().map(|result| result.load(Relaxed)).collect();
    assert!(results.iter().all(|result| *result != 0), "the process makes each call");
    calls.iter().zip(results).filter(|(_, result)| *result == ALLOWED).map(|(Call(name, ..), _)| *name).collect()
}

/// What none of the processes beside a watch may do.
fn harmful() -> Vec<Call> {
    let (own, parent) =
        (c_long::from(getpid().as_raw_nonzero().get()), c_long::from(getppid().unwrap().as_raw_nonzero().get()));
    let path = |path: &'static std::ffi::CStr| path.as_ptr() as c_long;
    let (mem, null) = (path(c"/proc/self/mem"), path(c"/dev/null"));
    let (at, page) = (c_long::from(libc::AT_FDCWD), 4096);
    let flag = |flag: i32| c_long::from(flag);
    let anonymous = flag(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    vec![
        Call("kill", libc::SYS_kill, [parent, 0, 0, 0, 0, 0]),
        Call("tkill", libc::SYS_tkill, [parent, 0, 0, 0, 0, 0]),
        Call("tgkill", libc::SYS_tgkill, [parent, parent, 0, 0, 0, 0]),
        Call("rt_sigqueueinfo", libc::SYS_rt_sigqueueinfo, [parent, 0, 0, 0, 0, 0]),
        Call("pidfd_send_signal", libc::SYS_pidfd_send_signal, [-1, 0, 0, 0, 0, 0]),
        Call("F_SETOWN", libc::SYS_fcntl, [2, flag(libc::F_SETOWN), parent, 0, 0, 0]),
        Call("ptrace", libc::SYS_ptrace, [-1, -1, 0, 0, 0, 0]),
        Call("process_vm_readv", libc::SYS_process_vm_readv, [own, 0, 0, 0, 0, 0]),
        Call("process_vm_writev", libc::SYS_process_vm_writev, [own, 0, 0, 0, 0, 0]),
        Call("pidfd_getfd", libc::SYS_pidfd_getfd, [-1, 0, 0, 0, 0, 0]),
        Call("open to write", libc::SYS_openat, [at, null, flag(libc::O_WRONLY), 0, 0, 0]),
        Call("open to read and write", libc::SYS_openat, [at, mem, flag(libc::O_RDWR), 0, 0, 0]),
        Call("open to create", libc::SYS_openat, [at, null, flag(libc::O_CREAT), 0, 0, 0]),
        Call("rename", libc::SYS_renameat2, [at, 0, at, 0, 0, 0]),
        Call("socket", libc::SYS_socket, [flag(libc::AF_UNIX), flag(libc::SOCK_STREAM), 0, 0, 0, 0]),
        Call("connect", libc::SYS_connect, [-1, 0, 0, 0, 0, 0]),
        Call("bind", libc::SYS_bind, [-1, 0, 0, 0, 0, 0]),
        Call("execve", libc::SYS_execve, [0; 6]),
        Call("execveat", libc::SYS_execveat, [-1, 0, 0, 0, 0, 0]),
        Call("thread", libc::SYS_clone, [flag(libc::CLONE_THREAD), 0, 0, 0, 0, 0]),
        Call("user namespace", libc::SYS_clone, [flag(libc::CLONE_NEWUSER | libc::CLONE_FS), 0, 0, 0, 0, 0]),
        Call("unshare", libc::SYS_unshare, [0; 6]),
        Call("setns", libc::SYS_setns, [-1, 0, 0, 0, 0, 0]),
        Call("setresuid", libc::SYS_setresuid, [-1, -1, -1, 0, 0, 0]),
        Call("capset", libc::SYS_capset, [0; 6]),
        Call("dumpable", libc::SYS_prctl, [flag(libc::PR_SET_DUMPABLE), 1, 0, 0, 0, 0]),
        Call("executable memory", libc::SYS_mmap, [0, page, flag(libc::PROT_EXEC), anonymous, -1, 0]),
        Call("mprotect", libc::SYS_mprotect, [0; 6]),
        Call("bpf", libc::SYS_bpf, [-1, 0, 0, 0, 0, 0]),
        Call("perf_event_open", libc::SYS_perf_event_open, [0; 6]),
        Call("io_uring_setup", libc::SYS_io_uring_setup, [0; 6]),
        Call("userfaultfd", libc::SYS_userfaultfd, [-1, 0, 0, 0, 0, 0]),
        Call("mount", libc::SYS_mount, [0; 6]),
        Call("init_module", libc::SYS_init_module, [0; 6]),
        Call("ioctl", libc::SYS_ioctl, [-1, 0, 0, 0, 0, 0]),
    ]
}

#[test]
fn harmful_calls_are_refused_beside_a_watch() {
    let calls = harmful();
    let running = Purpose::Running(Pid::from_raw(i32::MAX).unwrap());
    for purpose in [Purpose::Helping, Purpose::Inspecting, Purpose::Removing, running] {
        assert_eq!(allowed_in_process(Some(purpose), &calls), Vec::<&str>::new(), "{purpose:?}");
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let is_free = status.contains("\nSeccomp:\t0\n");
    if is_free && capabilities(None).unwrap().effective.contains(CapabilitySet::SYS_ADMIN) {
        let refused_to_root = calls.len() - allowed_in_process(None, &calls).len();
        assert_eq!(refused_to_root, 0, "the filter alone refuses them");
    }
}

#[test]
fn helper_alone_forks_and_answers() {
    let sigchld = c_long::from(libc::SIGCHLD);
    let helper_only = [
        Call("setitimer", libc::SYS_setitimer, [0; 6]),
        Call("recvfrom", libc::SYS_recvfrom, [-1, 0, 0, 0, 0, 0]),
        Call("sendto", libc::SYS_sendto, [-1, 0, 0, 0, 0, 0]),
        Call("ppoll", libc::SYS_ppoll, [0, 0, -1, 0, 0, 0]),
        Call("pidfd_open", libc::SYS_pidfd_open, [-1, 0, 0, 0, 0, 0]),
        Call("wait4", libc::SYS_wait4, [-1, 0, 1, 0, 0, 0]),
        Call("rt_sigprocmask", libc::SYS_rt_sigprocmask, [-1, 0, 0, 0, 0, 0]),
        Call("seccomp", libc::SYS_seccomp, [-1, 0, 0, 0, 0, 0]),
        Call("death signal", libc::SYS_prctl, [c_long::from(libc::PR_SET_PDEATHSIG), 0, 0, 0, 0, 0]),
    ];
    let allowed = allowed_in_process(Some(Purpose::Helping), &helper_only);
    assert_eq!(allowed.len(), helper_only.len(), "{allowed:?}");
    assert_eq!(allowed_in_process(Some(Purpose::Inspecting), &helper_only), Vec::<&str>::new());
    for purpose in [Purpose::Inspecting, Purpose::Removing] {
        let fork = [Call("fork", libc::SYS_clone, [sigchld, 0, 0, 0, 0, 0])];
        assert_eq!(allowed_in_process(Some(purpose), &fork), Vec::<&str>::new(), "{purpose:?}");
    }
}

#[test]
fn remover_reads_and_creates_no_files() {
    let null = c"/dev/null".as_ptr() as c_long;
    let calls = [
        Call("open", libc::SYS_openat, [c_long::from(libc::AT_FDCWD), null, 0, 0, 0, 0]),
        Call("pread64", libc::SYS_pread64, [-1, 0, 0, 0, 0, 0]),
        Call("readlinkat", libc::SYS_readlinkat, [-1, 0, 0, 0, 0, 0]),
        Call("sendto", libc::SYS_sendto, [-1, 0, 0, 0, 0, 0]),
    ];
    assert_eq!(allowed_in_process(Some(Purpose::Removing), &calls), Vec::<&str>::new());
}

/// There is no process of either id: the kernel's maximum is lower.
#[test]
fn runner_signals_nobody_but_the_command() {
    let command = Pid::from_raw(i32::MAX).unwrap();
    let kill = |name, pid: i32| Call(name, libc::SYS_kill, [c_long::from(pid), 0, 0, 0, 0, 0]);
    let calls = [
        kill("the command", i32::MAX),
        kill("another", i32::MAX - 1),
        kill("its group", -i32::MAX),
        kill("everybody", -1),
        kill("its own group", 0),
    ];
    assert_eq!(allowed_in_process(Some(Purpose::Running(command)), &calls), ["the command"]);
}
