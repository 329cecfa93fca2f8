//! Drops what a forked process has inherited: privileges, files, signal handlers.

use std::{
    fs::File,
    os::fd::{FromRawFd as _, IntoRawFd as _, OwnedFd, RawFd},
};

use crate::host::confinement::let_watch_signal;
use rustix::{
    process::{Pid, Signal, getppid, set_parent_process_death_signal},
    thread::{CapabilitySet, CapabilitySets, set_capabilities, set_name, set_no_new_privs},
};

/// The descriptor that is kept, after standard input, output and error.
const KEPT: RawFd = 3;

/// Ends this process without running any more of the code that it was forked in, neither destructors nor what follows in
/// the caller.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: _exit(2) has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Makes this process the helper: drops all privileges but one. None on failure.
pub(super) fn become_helper(parent: Pid) -> Option<()> {
    set_name(c"reuse-helper").ok()?;
    let_watch_signal().ok()?;
    set_no_new_privs(true).ok()?;
    let kept = CapabilitySet::SYS_PTRACE;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).ok()?;
    die_with(parent)?;
    // Ctrl-C reaches the helper too, but the watch still sends requests while it ends.
    ignore_ending_signals();
    // SAFETY: SIG_DFL installs no handler. An ignored SIGCHLD, which the watch may have inherited, would make waitpid fail.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    Some(())
}

/// Ignores the signals that end the watch.
pub(super) fn ignore_ending_signals() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: SIG_IGN installs no handler, so no code runs in signal context.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Makes this process die with its parent, even if that is killed.
pub(super) fn die_with(parent: Pid) -> Option<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).ok()?;
    (getppid() == Some(parent)).then_some(())
}

/// Closes every file but this one. Otherwise the reader of the watch's output would not see its end.
pub(crate) fn close_all_but(kept: RawFd) -> Option<OwnedFd> {
    let null = File::open("/dev/null").ok()?;
    // SAFETY: the values that own the closed descriptors are never used or dropped again, because this process does not
    // return to the code that holds them.
    unsafe {
        if kept != KEPT && libc::dup2(kept, KEPT) < 0 {
            return None;
        }
        let null = null.into_raw_fd();
        for standard in 0..KEPT {
            if libc::dup2(null, standard) < 0 {
                return None;
            }
        }
        let first = libc::c_uint::try_from(KEPT + 1).ok()?;
        if libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) < 0 {
            return None;
        }
        Some(OwnedFd::from_raw_fd(KEPT))
    }
}
