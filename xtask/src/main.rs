//! The project's own commands, run as `cargo xtask COMMAND`. This file only dispatches: each command has a file of its
//! own, and `cargo xtask help` describes them.

mod demo;
mod ebpf;
mod packages;
mod tally;
mod test;
mod vm;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The commands for working on tcp-reuse-watch")]
enum Command {
    Demo(demo::Args),
    Ebpf(ebpf::Args),
    Test(test::Args),
    Vm(vm::Args),
}

fn main() -> ExitCode {
    let outcome = match Command::parse() {
        Command::Demo(args) => demo::run(&args),
        Command::Ebpf(args) => ebpf::run(&args),
        Command::Test(args) => Ok(test::run(&args)),
        Command::Vm(args) => vm::run(&args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
