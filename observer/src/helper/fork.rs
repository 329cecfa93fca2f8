//! fork(2).

use std::io;

use rustix::process::Pid;

/// Returns None in the child.
pub(crate) fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: this process has a single thread (Child::start checks it, and the helper never starts one). So no lock in
    // the child's copy of the memory is held by a thread that the child lacks.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(Pid::from_raw(pid)),
    }
}
