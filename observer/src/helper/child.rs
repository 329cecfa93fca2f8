//! The helper as its parent sees it.

use std::{
    fs,
    net::Shutdown,
    os::{fd::AsRawFd as _, unix::net::UnixStream},
};

use anyhow::{Context as _, bail, ensure};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, WaitOptions, getpid, pidfd_open, waitpid},
    thread::{CapabilitySet, capabilities},
};

use super::{fork::fork, serve};
use crate::host::{confinement::why_system_calls_are_free, namespaces::why_processes_are_unknown};

/// How long the helper may take to end.
const END_TIMEOUT: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

#[derive(Debug)]
pub(super) struct Child {
    /// None in unit tests.
    pub(super) pid: Option<Pid>,
    /// Non-blocking.
    pub(super) socket: UnixStream,
}

impl Child {
    /// Forks the helper. Must be called before other threads are started.
    pub(super) fn start() -> anyhow::Result<Self> {
        if let Some(why) = why_processes_are_unknown() {
            bail!(why);
        }
        let permitted = capabilities(None)?.permitted;
        ensure!(permitted.contains(CapabilitySet::SYS_PTRACE), "CAP_SYS_PTRACE is missing");
        // Malicious files are read under a filter, or not at all.
        if let Some(error) = why_system_calls_are_free() {
            bail!("seccomp is not available: {error}");
        }
        ensure!(fs::read_dir("/proc/self/task")?.count() == 1, "other threads are running already");
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let parent = getpid();
        match fork().context("cannot fork")? {
            Some(child) => Ok(Self { pid: Some(child), socket: ours }),
            None => serve::run(theirs.as_raw_fd(), parent),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // The helper ends when its socket does. A watch that has given up its user id may not kill it.
        let _ = self.socket.shutdown(Shutdown::Both);
        if let Some(pid) = self.pid {
            let ended = pidfd_open(pid, PidfdFlags::empty())
                .and_then(|pidfd| poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&END_TIMEOUT)));
            if matches!(ended, Ok(1..)) {
                // It leaves no zombie.
                let _ = waitpid(Some(pid), WaitOptions::NOHANG);
            }
        }
    }
}
