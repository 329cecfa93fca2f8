//! The project's own commands, run as `cargo xtask COMMAND`. This file only dispatches: each command has a file, and a
//! folder of the same name if it needs more than one. `support` holds what several commands share.

mod bench;
mod check;
mod demo;
mod ebpf;
mod fuzz;
mod screenshot;
mod soak;
mod support;
mod test;
mod vm;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Build, test and measure tcp-reuse-watch")]
enum Command {
    Bench(bench::Args),
    Check(check::Args),
    #[command(hide = true)]
    Churn(soak::churn::Args),
    Demo(demo::Args),
    Ebpf(ebpf::Args),
    Fuzz(fuzz::Args),
    #[command(hide = true)]
    Hold(bench::hold::Args),
    Screenshot(screenshot::Args),
    Soak(soak::Args),
    #[command(hide = true)]
    Spread(bench::spread::Args),
    Test(test::Args),
    Vm(vm::Args),
}

fn main() -> ExitCode {
    let outcome = match Command::parse() {
        Command::Bench(args) => bench::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Churn(args) => soak::churn::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Ebpf(args) => ebpf::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Hold(args) => bench::hold::run(&args),
        Command::Screenshot(args) => screenshot::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Spread(args) => bench::spread::run(&args),
        Command::Test(args) => Ok(test::run(&args)),
        Command::Vm(args) => vm::run(&args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
