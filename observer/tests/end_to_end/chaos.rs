//! What may go wrong around a watch while it runs. Whatever it is: totals are right or marked, nothing hangs, and somebody
//! is told.

mod foreign_sock_ops;
mod full_disk;
mod full_map;
mod helper;
mod memory;
mod open_files;
mod stopped;
mod terminal_gone;
