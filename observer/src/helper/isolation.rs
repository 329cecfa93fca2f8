//! Drops what a forked process has inherited: privileges, files, signal handlers.

use std::{
    fs::File,
    os::fd::{FromRawFd as _, IntoRawFd as _, OwnedFd, RawFd},
};

use crate::host::confinement::{Purpose, keep_only, let_watch_signal, restrict};
use rustix::{
    process::{Pid, Signal, getppid, set_parent_process_death_signal},
    thread::{CapabilitySet, set_name},
};

/// The descriptor that is kept, after standard input, output and error.
const KEPT: RawFd = 3;

/// Ends this process without running any more of the code that it was forked in, neither destructors nor what follows in
/// the caller.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: _exit(2) has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Makes this process the helper, with one privilege, the system calls that it needs, and no file but this one. None on
/// failure.
pub(super) fn become_helper(parent: Pid, socket: RawFd) -> Option<OwnedFd> {
    set_name(c"reuse-helper").ok()?;
    let_watch_signal().ok()?;
    keep_only(CapabilitySet::SYS_PTRACE).ok()?;
    die_with(parent)?;
    // Ctrl-C reaches the helper too, but the watch still sends requests while it ends.
    ignore_ending_signals();
    heed_inherited_signals();
    let socket = close_all_but(socket)?;
    restrict(Purpose::Helping).is_empty().then_some(socket)
}

/// Makes this process one that inspects another and has no file but this one. It ends after some seconds, whatever it does:
/// its system calls cannot put that off. None on failure.
pub(super) fn become_inspection(helper: Pid, output: RawFd, seconds: u32) -> Option<OwnedFd> {
    // SAFETY: alarm(2) has no preconditions. SIGALRM has no handler, so it ends the process.
    unsafe { libc::alarm(seconds) };
    die_with(helper)?;
    let output = close_all_but(output)?;
    restrict(Purpose::Inspecting).is_empty().then_some(output)
}

/// Undoes what the watch may have inherited: an ignored SIGCHLD would make waitpid fail, and without SIGALRM inspections
/// would not end.
fn heed_inherited_signals() {
    // SAFETY: SIG_DFL installs no handler. The set of signals is initialised before it is used.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        libc::signal(libc::SIGALRM, libc::SIG_DFL);
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Ignores the signals that end the watch.
pub(super) fn ignore_ending_signals() {
    [libc::SIGINT, libc::SIGTERM, libc::SIGHUP].into_iter().for_each(ignore_signal);
}

fn ignore_signal(signal: i32) {
    // SAFETY: SIG_IGN installs no handler, so no code runs in signal context.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Makes this process die with its parent, even if that is killed.
fn die_with(parent: Pid) -> Option<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).ok()?;
    (getppid() == Some(parent)).then_some(())
}

/// Closes every file but this one. Otherwise the reader of the watch's output would not see its end.
pub(crate) fn close_all_but(kept: RawFd) -> Option<OwnedFd> {
    let null = File::open("/dev/null").ok()?;
    // SAFETY: the values that own the closed descriptors are never used or dropped again, because this process does not
    // return to the code that holds them.
    unsafe {
        // First, because the file just opened may be in the place of the one that is kept.
        let null = null.into_raw_fd();
        for standard in 0..KEPT {
            if libc::dup2(null, standard) < 0 {
                return None;
            }
        }
        if kept != KEPT && libc::dup2(kept, KEPT) < 0 {
            return None;
        }
        let first = libc::c_uint::try_from(KEPT + 1).ok()?;
        if libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) < 0 {
            return None;
        }
        Some(OwnedFd::from_raw_fd(KEPT))
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;

    use rustix::process::{WaitOptions, getpid, waitpid};

    use super::*;

    /// It can neither block SIGALRM nor set another time.
    #[test]
    fn inspection_ends_whatever_it_does() {
        let (parent, (_input, output)) = (getpid(), std::io::pipe().unwrap());
        // SAFETY: memory can be allocated after a fork in glibc, and the child does nothing else that takes a lock.
        let child = unsafe { libc::fork() };
        assert!(child >= 0);
        if child == 0 {
            if become_inspection(parent, output.as_raw_fd(), 1).is_none() {
                exit(1);
            }
            loop {
                // SAFETY: alarm(2) has no preconditions.
                unsafe { libc::alarm(600) };
                ignore_signal(libc::SIGALRM);
            }
        }
        let (_, status) = waitpid(Pid::from_raw(child), WaitOptions::empty()).unwrap().unwrap();
        assert_eq!(status.terminating_signal(), Some(libc::SIGALRM));
    }
}
