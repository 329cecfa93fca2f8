//! The helper as its parent sees it.

use std::{
    fs,
    os::{fd::AsRawFd as _, unix::net::UnixStream},
};

use anyhow::{Context as _, bail, ensure};
use rustix::{
    process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid},
    thread::{CapabilitySet, capabilities},
};

use super::{fork::fork, serve};
use crate::host::namespaces::why_processes_are_unknown;

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
        if let Some(pid) = self.pid {
            // Nobody has waited for the child, so the kernel has not reused its id.
            let _ = kill_process(pid, Signal::KILL);
            let _ = waitpid(Some(pid), WaitOptions::empty());
        }
    }
}
