//! A process that looks into other processes for this one, which has given up the right to. It is forked before the
//! privileges are dropped and before there are threads, keeps CAP_SYS_PTRACE alone, and answers one question only: what
//! runtime a process is. It ends with the one that started it, however that ends; without it, or when it is lost, there
//! are no answers, and nothing else changes.

mod inspect;
mod runtimes;
mod serve;
mod wire;

use std::{
    fs, io,
    os::{fd::AsRawFd as _, unix::net::UnixStream},
};

use anyhow::{Context as _, ensure};
use rustix::{
    process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid},
    thread::{CapabilitySet, capabilities},
};

pub(crate) use runtimes::Runtimes;

/// The helper, as the one who asks sees it.
#[derive(Debug)]
struct Helper {
    pid: Option<Pid>,
    /// Does not block.
    socket: UnixStream,
}

impl Helper {
    /// Must be called before other threads are started.
    fn start() -> anyhow::Result<Self> {
        let permitted = capabilities(None)?.permitted;
        ensure!(permitted.contains(CapabilitySet::SYS_PTRACE), "CAP_SYS_PTRACE is missing");
        ensure!(fs::read_dir("/proc/self/task")?.count() == 1, "there are threads already");
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let parent = getpid();
        match fork().context("cannot fork")? {
            Some(child) => Ok(Self { pid: Some(child), socket: ours }),
            None => serve::run(theirs.as_raw_fd(), parent),
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if let Some(pid) = self.pid {
            // It has not been waited for, so the number is still its own.
            let _ = kill_process(pid, Signal::KILL);
            let _ = waitpid(Some(pid), WaitOptions::empty());
        }
    }
}

/// None in the child.
fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: this process has one thread (Helper::start has seen to it, and the helper never has more), so the child's
    // copy of the memory has no lock that is held by a thread which the child does not have.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(Pid::from_raw(pid)),
    }
}
