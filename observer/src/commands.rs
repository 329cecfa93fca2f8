//! One file a subcommand; without one, the program watches.

pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod replay;
pub(crate) mod watch;
