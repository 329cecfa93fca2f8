//! The runner itself: starts the command, passes signals on to it, and reports its end.

use std::{
    ffi::OsString,
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::{net::UnixStream, process::ExitStatusExt as _},
    },
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitStatus,
    time::Instant,
};

use nix::sys::resource::{UsageWho, getrusage};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, retry_on_intr},
    process::{Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, waitpid},
    thread::{CapabilitySet, capabilities, set_name},
};

use super::{
    Account,
    launch::launch,
    messages::{End, Report},
};
use crate::{
    helper::{close_all_but, exit},
    host::confinement::{Purpose, keep_only, restrict},
};

/// Pause between two checks for the end of the command, where there is no pidfd to wait for.
const LOOK_INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// The runner's main function.
pub(super) fn run(watch: UnixStream, argv: &[OsString], account: Option<Account>) -> ! {
    // The child must not run any more of the parent's code: neither destructors nor what follows in the caller.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        log::set_max_level(log::LevelFilter::Off);
        survive_ending_signals();
        // Ignored, it would take the exit code of the command.
        // SAFETY: SIG_DFL installs no handler.
        let ignores_children = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) } == libc::SIG_IGN;
        supervise(watch, argv, account, ignores_children)
    }));
    exit(0);
}

fn supervise(mut watch: UnixStream, argv: &[OsString], account: Option<Account>, ignores_children: bool) -> Option<()> {
    set_name(c"reuse-runner").ok()?;
    let launched = launch(argv, account, ignores_children, &watch);
    let start = Instant::now();
    let end = match launched {
        Ok(child) => {
            let command = Pid::from_raw(child.id().cast_signed())?;
            // The command runs already. What cannot be given up must not lose its end.
            if let Some(kept) = close_all_but(watch.as_raw_fd()) {
                // The original descriptor is closed already.
                std::mem::forget(std::mem::replace(&mut watch, UnixStream::from(kept)));
            }
            let pidfd = pidfd_open(command, PidfdFlags::empty()).ok();
            // The command is signalled whoever it becomes.
            let permitted = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.permitted);
            let _ = keep_only(permitted & CapabilitySet::KILL);
            let _ = restrict(Purpose::Running(command));
            follow(&mut watch, command, pidfd.as_ref())?
        }
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return None,
        Err(error) => End::NotStarted(error.raw_os_error().unwrap_or(0)),
    };
    let wall_us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    watch.write_all(&Report { end, wall_us, user_us: user_us() }.to_bytes()).ok()
}

/// Passes signals on until the command has ended. None if the watch is gone, which leaves the command alone.
fn follow(watch: &mut UnixStream, command: Pid, pidfd: Option<&OwnedFd>) -> Option<End> {
    let timeout = if pidfd.is_some() { None } else { Some(&LOOK_INTERVAL) };
    loop {
        let mut fds = vec![PollFd::new(watch, PollFlags::IN)];
        fds.extend(pidfd.map(|pidfd| PollFd::new(pidfd, PollFlags::IN)));
        match poll(&mut fds, timeout) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return None,
        }
        let has_signal = !fds[0].revents().is_empty();
        if let Some((_, status)) = retry_on_intr(|| waitpid(Some(command), WaitOptions::NOHANG)).ok()? {
            return Some(end_of(ExitStatus::from_raw(status.as_raw())));
        }
        if has_signal {
            let mut number = [0];
            match watch.read(&mut number) {
                Ok(1) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                _ => return None,
            }
            if let Some(signal) = Signal::from_named_raw(number[0].into()) {
                // The command has not been waited for, so its id is still its own.
                let _ = kill_process(command, signal);
            }
        }
    }
}

fn end_of(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, Some(signal)) => End::Killed(signal),
        (None, None) => End::Unknown,
    }
}

/// The processor time of the command and of its waited-for descendants, outside of the kernel.
fn user_us() -> u64 {
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0, |usage| {
        let time = usage.user_time();
        u64::try_from(time.tv_sec()).unwrap_or(0) * 1_000_000 + u64::try_from(time.tv_usec()).unwrap_or(0)
    })
}

/// Lets the signals that end the watch do nothing here. Not by ignoring them, because the command would inherit that. What
/// was ignored already stays so.
fn survive_ending_signals() {
    extern "C" fn nothing(_: libc::c_int) {}
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: the handler does nothing.
        unsafe {
            if libc::signal(signal, nothing as *const () as libc::sighandler_t) == libc::SIG_IGN {
                libc::signal(signal, libc::SIG_IGN);
            }
        }
    }
}
