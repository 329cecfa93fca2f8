//! tcp-reuse-watch: shows how many requests went out on a new TCP connection and how many on a reused one.
//!
//! Data flows one way: kernel → decode → tracker → snapshot → views. Everything after the kernel is in `observer-core`;
//! this crate adds the kernel, the clock, the terminal and the network. See docs/develop/.
//!
//! A library, so that the fuzz targets in `fuzz/` reach the parsers in it.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap fails the test"))]

mod cli;
mod commands;
mod exit;
mod exporter;
#[cfg(fuzzing)]
pub mod fuzz;
mod helper;
mod host;
mod kernel;
mod output;
mod runner;
mod session;

use std::process::ExitCode;

use commands::{compare, demo, doctor, replay, watch};

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    host::memory::return_large_buffers();
    host::panics::watch_for();
    let cli = cli::Cli::parse_or_exit();
    let result = match cli.command {
        Some(cli::Command::Demo) => demo::run().map(|()| ExitCode::SUCCESS),
        Some(cli::Command::Doctor(options)) => doctor::run(&options),
        Some(cli::Command::Replay(options)) => replay::run(&options),
        None => watch::run(&cli.watch),
        Some(cli::Command::Compare(options)) => compare::run(&options),
    };
    result.unwrap_or_else(|error| exit::report(&error))
}
