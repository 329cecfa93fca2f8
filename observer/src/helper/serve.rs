//! The helper itself: drops all privileges but one, and serves requests until its parent is gone.

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
    fork::fork,
    inspect,
    messages::{self, REQUEST_BYTES},
};
use observer_core::runtime::Process;

/// The descriptor of the socket, after standard input, output and error.
const SOCKET: RawFd = 3;

/// Time limit for the inspection of one process. A FUSE file system, which any user may mount, can block a reader for
/// ever.
const INSPECT_TIMEOUT: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// The helper's main function.
pub(super) fn run(socket: RawFd, parent: Pid) -> ! {
    log::set_max_level(log::LevelFilter::Off);
    // The child must not run any more of the parent's code: neither destructors nor what follows in the caller.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let Some(mut socket) = isolate(socket, parent) else { return };
        let mut bytes = [0; REQUEST_BYTES];
        while socket.read_exact(&mut bytes).is_ok() && serve_request(messages::decode_request(bytes), &mut socket) {}
    }));
    // The parent is gone, or this is a child that has panicked while it inspected a process.
    exit(1);
}

pub(super) fn exit(code: i32) -> ! {
    // SAFETY: _exit(2) has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Drops what the helper has inherited from the watch: privileges, files, signal handlers. None on failure.
fn isolate(socket: RawFd, parent: Pid) -> Option<UnixStream> {
    set_name(c"reuse-helper").ok()?;
    set_no_new_privs(true).ok()?;
    let kept = CapabilitySet::SYS_PTRACE;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).ok()?;
    die_with(parent)?;
    // Ctrl-C reaches the helper too, but the watch still sends requests while it ends.
    ignore_ending_signals();
    // SAFETY: SIG_DFL installs no handler. An ignored SIGCHLD, which the watch may have inherited, would make waitpid fail.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    close_all_but(socket)
}

/// Ignores the signals that end the watch.
pub(super) fn ignore_ending_signals() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: SIG_IGN installs no handler, so no code runs in signal context.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Makes this process die with its parent, even if that is killed.
fn die_with(parent: Pid) -> Option<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).ok()?;
    (getppid() == Some(parent)).then_some(())
}

/// Closes every file but the socket. Otherwise the reader of the watch's output would not see its end.
pub(super) fn close_all_but(socket: RawFd) -> Option<UnixStream> {
    let null = File::open("/dev/null").ok()?;
    // SAFETY: the values that own the closed descriptors are never used or dropped again, because the helper does not
    // return to the code that holds them.
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

/// Serves one request. Returns false if the parent is gone.
///
/// A child process does the inspection, so a malicious executable can crash or block that child, and only its response
/// is lost.
fn serve_request(process: Process, socket: &mut UnixStream) -> bool {
    if !inspect::is_running(process) {
        return socket.write_all(&messages::encode_response(process, None)).is_ok();
    }
    let helper = getpid();
    let has_responded = match fork() {
        Err(_) => false,
        Ok(Some(child)) => wait_for(child),
        Ok(None) => {
            let is_sent = die_with(helper).is_some() && {
                let runtime = inspect::runtime_of(process);
                socket.write_all(&messages::encode_response(process, runtime)).is_ok()
            };
            exit(i32::from(!is_sent))
        }
    };
    has_responded || socket.write_all(&messages::encode_response(process, None)).is_ok()
}

/// Waits for a child, and kills it after [`INSPECT_TIMEOUT`]. Returns whether it succeeded.
fn wait_for(child: Pid) -> bool {
    let exited = pidfd_open(child, PidfdFlags::empty())
        .and_then(|pidfd| poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&INSPECT_TIMEOUT)));
    if !matches!(exited, Ok(1..)) {
        let _ = kill_process(child, Signal::KILL);
    }
    let ended = waitpid(Some(child), WaitOptions::empty());
    ended.is_ok_and(|ended| ended.is_some_and(|(_, status)| status.exit_status() == Some(0)))
}

#[cfg(test)]
mod tests {
    use std::{process::Command, time::Instant};

    use super::*;

    /// Runs a script as the inspecting child. Returns its success and its duration in seconds.
    #[allow(clippy::zombie_processes, reason = "wait_for waits for it")]
    fn run(script: &str) -> (bool, u64) {
        let started = Instant::now();
        let child = Command::new("sh").args(["-c", script]).spawn().unwrap();
        (wait_for(Pid::from_child(&child)), started.elapsed().as_secs())
    }

    #[test]
    fn crashed_or_blocked_child_does_not_block_the_helper() {
        assert_eq!(run("exit"), (true, 0));
        assert_eq!(run("exit 1"), (false, 0));
        assert_eq!(run("kill -ABRT $$"), (false, 0));
        assert_eq!(run("exec sleep 60"), (false, 2));
    }
}
