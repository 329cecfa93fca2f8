//! What a watch gives up once everything is attached and every file is open: the user id of root, capabilities, most
//! system calls, and files that it need not read. What is left serves metrics and writes to files that are open.
//!
//! Each part is done even where the kernel lacks another one, and none is taken back. Threads inherit all of it, so it
//! must come before other threads are started.

mod files;
mod identity;
mod system_calls;

use anyhow::Context as _;
use rustix::{
    process::{DumpableBehavior, set_dumpable_behavior},
    thread::set_keep_capabilities,
};

use super::privileges;
pub(crate) use identity::let_watch_signal;

/// What this process is for, which decides what it still needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Watching,
    /// The demo has a client and servers of its own.
    Demonstrating,
}

/// Gives up what is not needed any more. `can_read_maps`: whether the maps can be read as things are; on some kernels
/// that needs a capability, which is kept then.
pub(crate) fn confine(purpose: Purpose, can_read_maps: impl FnOnce() -> bool) -> anyhow::Result<()> {
    // Otherwise the change of the user id drops the capabilities before it is known which one has to stay.
    set_keep_capabilities(true)?;
    identity::give_up_root().context("cannot change the user id")?;
    set_keep_capabilities(false)?;
    privileges::drop_all(can_read_maps)?;
    // Nobody with the same user id may read this process's memory, where addresses and names of others are.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // A container or a unit may forbid both, but is a confinement of its own then.
    if let Err(error) = files::restrict(purpose) {
        log::warn!("files are not restricted by Landlock: {error:#}");
    }
    if let Err(error) = system_calls::restrict(purpose) {
        log::warn!("system calls are not restricted by seccomp: {error:#}");
    }
    Ok(())
}
