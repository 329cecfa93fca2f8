//! The project's own commands, run as `cargo xtask COMMAND`. This file only dispatches: each command has a file of its
//! own, and `cargo xtask help` describes them.

mod bench;
mod demo;
mod ebpf;
mod hold;
mod numbers;
mod packages;
mod running;
mod screenshot;
mod soak;
mod spread;
mod tally;
mod test;
mod vm;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The commands for working on tcp-reuse-watch")]
enum Command {
    Bench(bench::Args),
    #[command(hide = true)]
    Churn(soak::churn::Args),
    Demo(demo::Args),
    Ebpf(ebpf::Args),
    #[command(hide = true)]
    Hold(hold::Args),
    Screenshot(screenshot::Args),
    Soak(soak::Args),
    #[command(hide = true)]
    Spread(spread::Args),
    Test(test::Args),
    Vm(vm::Args),
}

fn main() -> ExitCode {
    let outcome = match Command::parse() {
        Command::Bench(args) => bench::run(&args),
        Command::Churn(args) => soak::churn::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Ebpf(args) => ebpf::run(&args),
        Command::Hold(args) => hold::run(&args),
        Command::Screenshot(args) => screenshot::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Spread(args) => spread::run(&args),
        Command::Test(args) => Ok(test::run(&args)),
        Command::Vm(args) => vm::run(&args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
