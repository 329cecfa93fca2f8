//! System calls that a debugger lets the running processes make, as an attacker who has taken one over would.

use libc::{EACCES, EPERM, c_long};

use super::Processes;
use crate::support::{
    eventually,
    helper::runtimes_in,
    machine::Machine,
    peer::{Peer, ask},
    programs::{output_of, program},
};

/// A system call with its arguments, in C.
struct Call(&'static str, c_long, String);

fn call(name: &'static str, number: c_long, arguments: impl Into<String>) -> Call {
    Call(name, number, arguments.into())
}

/// The error number of each call in this process. 0 for success.
fn errnos(pid: u32, calls: &[Call]) -> Vec<i32> {
    let mut gdb = program("gdb", "gdb");
    gdb.args(["-nx", "-batch", "-p", &pid.to_string(), "-ex", "set language c"]);
    for Call(_, number, arguments) in calls {
        gdb.args(["-ex", &format!("set $result = (long)syscall({number}, {arguments})")]);
        gdb.args(["-ex", r#"printf "errno %d\n", $result < 0 ? *(int *)__errno_location() : 0"#]);
    }
    let text = output_of(&mut gdb);
    let errnos: Vec<i32> = text
        .lines()
        .filter_map(|line| line.strip_prefix("errno "))
        .map(|errno| errno.parse().expect("a number"))
        .collect();
    assert_eq!(errnos.len(), calls.len(), "{text}");
    errnos
}

fn assert_refused(what: &str, pid: u32, calls: &[Call], errno: i32) {
    for (Call(name, ..), got) in calls.iter().zip(errnos(pid, calls)) {
        assert_eq!(got, errno, "{name} by the {what}");
    }
}

/// Each of these would succeed without a filter, or fail with another error.
fn harmful(pid: u32) -> Vec<Call> {
    vec![
        call("socket", libc::SYS_socket, "2, 1, 0"),
        call("execve", libc::SYS_execve, "0, 0, 0"),
        call("ptrace", libc::SYS_ptrace, "-1, -1, 0, 0"),
        call("process_vm_readv", libc::SYS_process_vm_readv, format!("{pid}, 0, 0, 0, 0, 0")),
        call("process_vm_writev", libc::SYS_process_vm_writev, format!("{pid}, 0, 0, 0, 0, 0")),
        call("pidfd_getfd", libc::SYS_pidfd_getfd, "-1, 0, 0"),
        call("pidfd_send_signal", libc::SYS_pidfd_send_signal, "-1, 0, 0, 0"),
        call("F_SETOWN", libc::SYS_fcntl, format!("0, {}, {pid}", libc::F_SETOWN)),
        call("executable memory", libc::SYS_mmap, format!("0, 4096, {}, 34, -1, 0", libc::PROT_EXEC)),
        call("new file", libc::SYS_openat, format!("-100, \"/tmp/never\", {}, 0600", libc::O_CREAT | libc::O_WRONLY)),
        call("user namespace", libc::SYS_clone, format!("{}, 0, 0, 0, 0", libc::CLONE_NEWUSER | libc::CLONE_FS)),
    ]
}

#[test]
fn harmful_calls_are_refused_to_each_process() {
    let machine = Machine::shared();
    let processes = Processes::start(&machine);
    for (what, pid) in [("watch", processes.watch()), ("helper", processes.helper), ("remover", processes.remover)] {
        assert_refused(what, pid, &harmful(pid), EPERM);
    }
    processes.watch.end();
}

#[test]
fn watch_opens_no_other_files() {
    let machine = Machine::shared();
    let processes = Processes::start(&machine);
    let open = |path: &str| format!("-100, \"{path}\", 0, 0");
    let calls = ["/etc/passwd", "/usr/bin/env", "/"].map(|path| call("openat", libc::SYS_openat, open(path)));
    // SAFETY: with this flag, the call tells its version.
    let has_landlock = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0, 0, 1) } > 0;
    for (what, pid) in [("watch", processes.watch()), ("remover", processes.remover)] {
        // The remover's filter does not even let it try.
        let errno = if what == "remover" {
            EPERM
        } else if has_landlock {
            EACCES
        } else {
            0
        };
        assert_refused(what, pid, &calls, errno);
    }
    processes.watch.end();
}

/// It may read what root may read, but has nobody to tell it to.
#[test]
fn helper_signals_nobody_and_opens_files_for_reading_only() {
    let machine = Machine::shared();
    let processes = Processes::start(&machine);
    let (helper, here) = (processes.helper, std::process::id());
    let open = |path: &str, flags: i32| format!("-100, \"{path}\", {flags}, 0");
    let calls = [
        call("kill", libc::SYS_kill, format!("{here}, 0")),
        call("tkill", libc::SYS_tkill, format!("{here}, 0")),
        call("memory of others", libc::SYS_openat, open(&format!("/proc/{here}/mem"), libc::O_RDWR)),
        call("an existing file", libc::SYS_openat, open("/dev/null", libc::O_WRONLY)),
        call("unlink", libc::SYS_unlinkat, "-100, \"/nowhere/at/all\", 0"),
        call("socketpair", libc::SYS_socketpair, "1, 1, 0, 0"),
    ];
    assert_refused("helper", helper, &calls, EPERM);
    let readable = ["/etc/shadow".to_owned(), format!("/proc/{here}/mem")];
    let calls = readable.map(|path| call("openat", libc::SYS_openat, open(&path, libc::O_RDONLY)));
    assert_eq!(errnos(helper, &calls), [0, 0]);
    processes.watch.end();
}

/// A debugger leaves no trace that would make the tests above meaningless.
#[test]
fn helper_goes_on_after_refused_calls() {
    let machine = Machine::shared();
    let (peer, folder) = (Peer::echo(), tempfile::tempdir().expect("cannot create a directory"));
    let log = folder.path().join("log");
    let watch = machine.watch(format!("-p {} -v --log-file {}", peer.port(), log.display()));
    let helper = crate::support::helper::Helper::of(watch.tool.id()).0;
    assert_refused("helper", helper, &harmful(helper), EPERM);
    let mut stream = peer.connect();
    ask(&mut stream);
    eventually("the helper answers", || !runtimes_in(&log, std::process::id()).is_empty());
    drop(stream);
    watch.end();
}
