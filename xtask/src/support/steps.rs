//! The steps of `cargo xtask check` and `cargo xtask test`: each is announced, timed and reported on a line of its own.

use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};

use super::workspace::{Workspace, describe, run as run_command, succeeds};

pub(crate) fn step(name: &str, action: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("==> {name}");
    let start = Instant::now();
    let outcome = action();
    println!("    {name}: {}, {:.1} s", if outcome.is_ok() { "ok" } else { "failed" }, start.elapsed().as_secs_f64());
    outcome
}

/// A step that runs cargo; its name is the command line.
pub(crate) fn cargo(workspace: &Workspace, args: &[&str]) -> Result<()> {
    let mut command: Command = workspace.cargo();
    command.args(args);
    step(&describe(&command), || run_command(&mut command))
}

/// Formatting and lints of the whole workspace.
pub(crate) fn lint(workspace: &Workspace) -> Result<()> {
    step("rustfmt and clippy", || require_components(workspace))?;
    cargo(workspace, &["fmt", "--all", "--check"])?;
    cargo(workspace, &["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"])?;
    cargo(workspace, &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
    // The tests that a plain `cargo test` leaves out are not among all targets.
    let tests = ["doctor", "end_to_end", "matrix", "scenarios"].map(|test| ["--test", test]).concat();
    let clippy = ["clippy", "--package", "tcp-reuse-watch", "--locked"];
    cargo(workspace, &[&clippy[..], &tests, &["--", "-D", "warnings"]].concat())
}

fn require_components(workspace: &Workspace) -> Result<()> {
    for (tool, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !succeeds(workspace.cargo().args([tool, "--version"])) {
            bail!("{component} is missing: run `rustup component add rustfmt clippy`");
        }
    }
    Ok(())
}
