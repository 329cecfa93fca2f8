//! `cargo xtask demo`: builds the program in the least time and runs its demo, the quickest way to see what it does.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::support::workspace::{Workspace, is_root, run as run_command};

/// See Cargo.toml.
const PROFILE: &str = "try";

/// Build the program and run its demo
///
/// The demo loads BPF programs into the kernel: without root, it runs under sudo. The build is unoptimised, which takes
/// less than half the time.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Arguments for `tcp-reuse-watch demo`
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    eprintln!("building an unoptimised tcp-reuse-watch to try out; `cargo build --release` builds the real one");
    run_command(workspace.cargo().args(["build", "--profile", PROFILE, "--locked", "--package", "tcp-reuse-watch"]))?;
    let binary = workspace.target.join(PROFILE).join("tcp-reuse-watch");
    let mut command = if is_root() {
        Command::new(&binary)
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg(&binary);
        sudo
    };
    command.arg("demo").args(&args.args);
    // exec(2): the exit code and Ctrl-C are the demo's own.
    let program = command.get_program().to_owned();
    Err(command.exec())
        .with_context(|| format!("cannot run {}: build the program and run its demo as root", program.display()))
}
