//! A child process that removes a file when this process has ended, even if that is killed. This process cannot do so
//! itself: by then it has dropped the privileges with which it created the file.
//!
//! The child has no capabilities, holds no files of this process, takes no input but the end of its socket, and can do
//! nothing but remove files of one directory.

use std::{
    ffi::{CString, OsStr},
    fs,
    io::Read as _,
    net::Shutdown,
    os::{
        fd::{AsRawFd as _, OwnedFd, RawFd},
        unix::{ffi::OsStrExt as _, net::UnixStream},
    },
    panic::{AssertUnwindSafe, catch_unwind},
};

use anyhow::{Context as _, ensure};
use rustix::{
    fs::{AtFlags, CWD, Gid, Stat, Uid, fstat, statat, unlinkat},
    process::{Pid, WaitOptions, fchdir, geteuid, waitpid},
    thread::{CapabilitySet, set_name, set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

use super::{
    fork::fork,
    isolation::{close_all_but, exit, ignore_ending_signals},
};
use crate::host::confinement::{Purpose, keep_only, restrict};

/// Dropping it removes the file.
#[derive(Debug)]
pub(crate) struct Remover {
    child: Pid,
    socket: UnixStream,
}

impl Remover {
    /// Forks the child, for the file that has this name now. Must be called before other threads are started.
    pub(crate) fn start(directory: &OwnedFd, name: &OsStr) -> anyhow::Result<Self> {
        ensure!(fs::read_dir("/proc/self/task")?.count() == 1, "other threads are running already");
        let file = File { name: CString::new(name.as_bytes())?, identity: identity(directory, name.as_bytes())? };
        let (ours, theirs) = UnixStream::pair()?;
        match fork().context("cannot fork")? {
            Some(child) => Ok(Self { child, socket: ours }),
            None => run(theirs.as_raw_fd(), directory, &file),
        }
    }
}

impl Drop for Remover {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
        // Nobody has waited for the child, so the kernel has not reused its id.
        let _ = waitpid(Some(self.child), WaitOptions::empty());
    }
}

/// A file, told from a later one of the same name by its device and inode.
struct File {
    name: CString,
    identity: (u64, u64),
}

fn identity(directory: impl std::os::fd::AsFd, name: &[u8]) -> rustix::io::Result<(u64, u64)> {
    let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok((stat.st_dev, stat.st_ino))
}

/// The child's main function.
fn run(socket: RawFd, directory: &OwnedFd, file: &File) -> ! {
    log::set_max_level(log::LevelFilter::Off);
    // The child must not run any more of the parent's code: neither destructors nor what follows in the caller.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let Some(mut socket) = isolate(socket, directory) else { return };
        while socket.read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::Interrupted) {}
        if identity(CWD, file.name.as_bytes()).is_ok_and(|identity| identity == file.identity) {
            let _ = unlinkat(CWD, &file.name, AtFlags::empty());
        }
    }));
    exit(0);
}

/// Drops what the child has inherited from the watch, except its user if that can change the directory. None on failure.
fn isolate(socket: RawFd, directory: &OwnedFd) -> Option<UnixStream> {
    // Ctrl-C reaches the child too, but the watch still serves metrics while it ends. First, because a watch that is still
    // starting is ended by the same signal, and leaves the file to the child.
    ignore_ending_signals();
    set_name(c"reuse-remover").ok()?;
    fchdir(directory).ok()?;
    let owner = fstat(directory).ok()?;
    if geteuid().is_root() && owner.st_uid != 0 {
        // Without capabilities, root cannot change the directory of another user. Fails without CAP_SETUID.
        let _ = become_owner(&owner);
    }
    keep_only(CapabilitySet::empty()).ok()?;
    let socket = close_all_but(socket)?;
    // Without either, it still has no privileges.
    restrict(Purpose::Removing);
    Some(socket.into())
}

fn become_owner(owner: &Stat) -> rustix::io::Result<()> {
    let (uid, gid) = (Uid::from_raw(owner.st_uid), Gid::from_raw(owner.st_gid));
    set_thread_groups(&[])?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)
}
