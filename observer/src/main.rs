//! tcp-reuse-watch: shows how many requests went out on a new TCP connection and how many on a reused one.
//!
//! Data flows one way: kernel → decode → tracker → snapshot → views. docs/ARCHITECTURE.md tells the whole story.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

#[cfg(test)]
mod allocations;
mod app;
mod cgroup_name;
mod cli;
mod clock;
mod dashboard;
mod decode;
mod demo;
mod diagnostics;
mod doctor;
mod event;
mod event_loop;
mod exit;
mod exporter;
mod helper;
mod kernel;
mod memory;
mod output;
mod printable;
mod recording;
mod replay;
mod runtime;
mod screen;
mod series;
mod signals;
#[cfg(test)]
mod steady;
mod summary_file;
mod terminal;
mod tracker;
mod view;
mod wrap;
mod writer;

use std::process::ExitCode;

fn main() -> ExitCode {
    memory::give_back_large_buffers();
    let cli = cli::Cli::read();
    let result = match cli.command {
        Some(cli::Command::Demo) => demo::run().map(|()| ExitCode::SUCCESS),
        Some(cli::Command::Doctor(options)) => doctor::run(&options),
        Some(cli::Command::Replay(options)) => replay::run(&options).map(|()| ExitCode::SUCCESS),
        None => app::run(&cli.watch).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| exit::report(&error))
}
