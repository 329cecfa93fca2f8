//! One file for each subcommand. Without a subcommand, the program watches.

pub(crate) mod compare;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod replay;
pub(crate) mod watch;
