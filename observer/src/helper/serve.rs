//! The helper's own life: it gives up all but one right, and answers until nobody asks any more.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::{
        fd::{FromRawFd as _, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    panic::{AssertUnwindSafe, catch_unwind},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{
        Pid, PidfdFlags, Signal, WaitOptions, getpid, getppid, kill_process, pidfd_open,
        set_parent_process_death_signal, waitpid,
    },
    thread::{CapabilitySet, CapabilitySets, set_capabilities, set_name, set_no_new_privs},
};

use super::{
    fork, inspect,
    wire::{self, QUESTION},
};
use observer_core::runtime::Process;

/// Where the socket is moved to: behind standard input, output and error.
const SOCKET: RawFd = 3;

/// What looking at one process may take. A file system in user space, which anybody may mount, can let a reader wait
/// for ever.
const LIMIT: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// All that the helper does, from the fork to its end.
pub(super) fn run(socket: RawFd, parent: Pid) -> ! {
    log::set_max_level(log::LevelFilter::Off);
    // Nothing of the copied program may go on: neither its cleaning up, nor what is behind the caller.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let Some(mut socket) = take_leave(socket, parent) else { return };
        let mut bytes = [0; QUESTION];
        while socket.read_exact(&mut bytes).is_ok() && answer(wire::parse_question(bytes), &mut socket) {}
    }));
    // Nobody asks any more; or this is the one who looks, and it has panicked.
    exit(1);
}

fn exit(code: i32) -> ! {
    // SAFETY: _exit(2) has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Leaves behind what is the watch's: its privileges, its files, its signals. None if it cannot be.
fn take_leave(socket: RawFd, parent: Pid) -> Option<UnixStream> {
    set_name(c"reuse-helper").ok()?;
    set_no_new_privs(true).ok()?;
    let right = CapabilitySet::SYS_PTRACE;
    let sets = CapabilitySets { effective: right, permitted: right, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).ok()?;
    end_with(parent)?;
    // Who presses Ctrl-C means the watch, which still asks while it ends.
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: SIG_IGN is no function of ours that could be called at a bad moment.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    // SAFETY: as above. Who started the watch may have had it ignored, and then children cannot be waited for.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    keep_only(socket)
}

/// Dies with the parent, also when that is killed.
fn end_with(parent: Pid) -> Option<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).ok()?;
    (getppid() == Some(parent)).then_some(())
}

/// Closes all that is open, but the socket. Whoever reads the watch's output must see it end with the watch.
fn keep_only(socket: RawFd) -> Option<UnixStream> {
    let null = File::open("/dev/null").ok()?;
    // SAFETY: these are numbers of open files, as far as they are at all. What is closed here belongs to values that
    // nothing uses or drops any more: the helper returns to none of the code that made them.
    unsafe {
        if socket != SOCKET && libc::dup2(socket, SOCKET) < 0 {
            return None;
        }
        let null = std::os::fd::IntoRawFd::into_raw_fd(null);
        for standard in 0..SOCKET {
            if libc::dup2(null, standard) < 0 {
                return None;
            }
        }
        let first = libc::c_uint::try_from(SOCKET + 1).ok()?;
        if libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) < 0 {
            return None;
        }
        Some(UnixStream::from(OwnedFd::from_raw_fd(SOCKET)))
    }
}

/// Answers one question. False when nobody listens any more.
///
/// Another process looks, for each question: whatever a file that was made to harm does to it, or however long it lets
/// it wait, only this answer is lost.
fn answer(process: Process, socket: &mut UnixStream) -> bool {
    if !inspect::is_there(process) {
        return socket.write_all(&wire::answer(process, None)).is_ok();
    }
    let helper = getpid();
    let is_answered = match fork() {
        Err(_) => false,
        Ok(Some(child)) => has_succeeded(child),
        Ok(None) => {
            let answered = end_with(helper).is_some() && {
                let runtime = inspect::runtime_of(process);
                socket.write_all(&wire::answer(process, runtime)).is_ok()
            };
            exit(i32::from(!answered))
        }
    };
    is_answered || socket.write_all(&wire::answer(process, None)).is_ok()
}

/// Waits for a child to end by itself, but not for long.
fn has_succeeded(child: Pid) -> bool {
    let is_over = pidfd_open(child, PidfdFlags::empty())
        .and_then(|pidfd| poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&LIMIT)));
    if !matches!(is_over, Ok(1..)) {
        let _ = kill_process(child, Signal::KILL);
    }
    let ended = waitpid(Some(child), WaitOptions::empty());
    ended.is_ok_and(|ended| ended.is_some_and(|(_, status)| status.exit_status() == Some(0)))
}

#[cfg(test)]
mod tests {
    use std::{process::Command, time::Instant};

    use super::*;

    /// Runs it as what looks at a process; how long that took, in seconds.
    #[allow(clippy::zombie_processes, reason = "has_succeeded waits for it")]
    fn run(script: &str) -> (bool, u64) {
        let started = Instant::now();
        let child = Command::new("sh").args(["-c", script]).spawn().unwrap();
        (has_succeeded(Pid::from_child(&child)), started.elapsed().as_secs())
    }

    #[test]
    fn who_looks_may_die_or_hang_and_is_not_waited_for_long() {
        assert_eq!(run("exit"), (true, 0));
        assert_eq!(run("exit 1"), (false, 0));
        assert_eq!(run("kill -ABRT $$"), (false, 0));
        assert_eq!(run("exec sleep 60"), (false, 2));
    }
}
