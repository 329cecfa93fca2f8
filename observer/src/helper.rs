//! A child process that detects the runtimes of other processes, because this process drops the privilege to do so.
//!
//! The helper is forked before the privileges are dropped and before other threads exist. It keeps CAP_SYS_PTRACE only,
//! and dies with its parent, even if that is killed. Without a helper, runtimes stay unknown and nothing else changes.
//!
//! With `--metrics unix:PATH` there is another child, which removes the socket at the end (remover.rs).

mod child;
mod fork;
mod inspect;
mod inspection;
mod isolation;
mod messages;
mod queue;
mod remover;
mod runtimes;
mod serve;

pub(crate) use fork::fork;
pub(crate) use isolation::{close_all_but, exit};
pub(crate) use remover::Remover;
pub(crate) use runtimes::Runtimes;
