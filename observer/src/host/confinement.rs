//! What a process gives up once it has what it needs: the user id of root, capabilities, most system calls, and files that
//! it need not read. A watch does so once everything is attached and every file is open. What is left serves metrics and
//! writes to files that are open. The processes beside it, which are forked before, keep less.
//!
//! Each part is done even where the kernel lacks another one, and none is taken back. Threads inherit all of it, so it
//! must come before other threads are started.

mod files;
mod identity;
mod system_calls;

use std::io;

use anyhow::{Context as _, Error};
use rustix::{
    process::{DumpableBehavior, Pid, set_dumpable_behavior},
    thread::{CapabilitySet, set_keep_capabilities},
};

use super::privileges;
pub(crate) use identity::let_watch_signal;

/// What this process is for, which decides what it still needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Watching,
    /// The demo has a client and servers of its own.
    Demonstrating,
    /// The helper answers requests, and forks an inspection for each.
    Helping,
    Inspecting,
    /// The runner waits for the end of this command, and passes signals on to it.
    Running(Pid),
    /// The remover waits for the end of the watch, and removes a file of the current directory.
    Removing,
}

/// Gives up what a watch does not need any more. `can_read_maps`: whether the maps can be read as things are; on some
/// kernels that needs a capability, which is kept then. Returns what could not be restricted.
pub(crate) fn confine(purpose: Purpose, can_read_maps: impl FnOnce() -> bool) -> anyhow::Result<Vec<Error>> {
    // Otherwise the change of the user id drops the capabilities before it is known which one has to stay.
    set_keep_capabilities(true)?;
    identity::give_up_root().context("cannot change the user id")?;
    set_keep_capabilities(false)?;
    privileges::drop_all(can_read_maps)?;
    hide_memory()?;
    let unrestricted = restrict(purpose);
    for error in &unrestricted {
        log::warn!("{error:#}");
    }
    Ok(unrestricted)
}

/// Gives up all capabilities but these in a process that a watch has forked.
pub(crate) fn keep_only(kept: CapabilitySet) -> io::Result<()> {
    privileges::keep_only(kept)?;
    hide_memory()
}

/// Nobody with the same user id may read this process's memory, where addresses and names of others are.
fn hide_memory() -> io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Restricts files and system calls to what this purpose needs. Returns what could not be restricted: a container or a unit
/// may forbid either, and a kernel may lack seccomp. Not an error where the kernel lacks Landlock.
pub(crate) fn restrict(purpose: Purpose) -> Vec<Error> {
    let files = files::restrict(purpose).map(drop).context("files are not restricted by Landlock");
    let system_calls = system_calls::restrict(purpose).context("system calls are not restricted by seccomp");
    [files, system_calls].into_iter().filter_map(Result::err).collect()
}

/// Why system calls cannot be restricted. None if they can.
pub(crate) fn why_system_calls_are_free() -> Option<io::Error> {
    system_calls::why_unavailable()
}
