//! `cargo xtask demo`: builds the program and runs its demo, the quickest way to see what it does.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::workspace::{Workspace, is_root, run as run_command};

/// Build the program and run its demo (as root, through sudo where needed)
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Options handed on to `tcp-reuse-watch demo`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    run_command(workspace.cargo().args(["build", "--release", "--locked", "--package", "tcp-reuse-watch"]))?;
    let binary = workspace.target.join("release/tcp-reuse-watch");
    let mut command = if is_root() {
        Command::new(&binary)
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg(&binary);
        sudo
    };
    command.arg("demo").args(&args.options);
    // The demo takes this process's place, so that its exit code and a Ctrl-C are its own.
    let program = command.get_program().to_owned();
    Err(command.exec())
        .with_context(|| format!("cannot run {}: build the program and run its demo as root", program.display()))
}
