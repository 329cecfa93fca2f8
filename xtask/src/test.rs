//! `cargo xtask test`: every check there is, in the order in which a failure is cheapest to find. CI runs this and
//! nothing else, so that what passes here passes there.

use std::env;
use std::io::{self, BufReader};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::tally::Tally;
use crate::workspace::{Workspace, describe, is_root, run as run_command, succeeds};
use crate::{ebpf, packages, soak, vm};

/// Long enough for each kind of churn to come many times.
const SOAK: Duration = Duration::from_mins(2);

/// Run every check and test: formatting, lints, the BPF objects, unit and end-to-end tests, the scenarios on other kernels
///
/// As root it first installs the Debian packages that the tests need; otherwise it prints the line that does. The
/// end-to-end tests need root. The last line is the total: `N passed, N failed, N skipped`.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> ExitCode {
    let mut tally = Tally::default();
    let outcome = Workspace::find().and_then(|workspace| steps(&workspace, &mut tally));
    if let Err(error) = &outcome {
        eprintln!("error: {error:#}");
    }
    // Printed here and not by main, as nothing may follow it.
    println!("{tally}");
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn steps(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    step("Debian packages", install_packages)?;
    step("rustfmt and clippy", || components(workspace))?;
    cargo(workspace, &["fmt", "--all", "--check"])?;
    cargo(workspace, &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
    step("cargo xtask ebpf --check", || ebpf::check(workspace))?;
    cargo(workspace, &["build", "--release", "--locked", "--package", "tcp-reuse-watch"])?;
    step("cargo test --workspace --locked", || cargo_test(workspace, tally))?;
    step("cargo xtask soak", || soaked(workspace, tally))?;
    step("cargo xtask vm", || other_kernels(workspace, tally))
}

fn step(name: &str, action: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("==> {name}");
    let start = Instant::now();
    let outcome = action();
    println!("    {name}: {}, {:.1} s", if outcome.is_ok() { "ok" } else { "failed" }, start.elapsed().as_secs_f64());
    outcome
}

fn cargo(workspace: &Workspace, args: &[&str]) -> Result<()> {
    let mut command = workspace.cargo();
    command.args(args);
    step(&describe(&command), || run_command(&mut command))
}

fn install_packages() -> Result<()> {
    let needed = [packages::FOR_TESTS, packages::FOR_VM].concat();
    let missing = packages::missing(&needed)?;
    if missing.is_empty() {
        return Ok(());
    }
    if is_root() {
        return packages::install(&missing);
    }
    let line = packages::install_line(&missing);
    if env::var_os("CI").is_some_and(|ci| ci == "true") {
        bail!("packages are missing: run `{line}`");
    }
    println!("some tests will fail for missing packages: run `{line}`");
    Ok(())
}

fn components(workspace: &Workspace) -> Result<()> {
    for (tool, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !succeeds(workspace.cargo().args([tool, "--version"])) {
            bail!("{component} is missing: run `rustup component add rustfmt clippy`");
        }
    }
    Ok(())
}

fn cargo_test(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    if !is_root() {
        println!("not root: the end-to-end tests need it");
    }
    let mut command = workspace.cargo();
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot run cargo test")?;
    let stdout = child.stdout.take().context("cargo test has no output")?;
    *tally = Tally::follow(BufReader::new(stdout), io::stdout()).context("cannot follow the output of cargo test")?;
    let status = child.wait().context("cannot wait for cargo test")?;
    if !status.success() || tally.failed > 0 {
        bail!("cargo test failed: {status}");
    }
    if tally.passed == 0 {
        bail!("no test ran");
    }
    Ok(())
}

fn soaked(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let soaked = soak::check(workspace, SOAK)?;
    *tally += soaked;
    if soaked.failed > 0 {
        bail!("{} things did not hold", soaked.failed);
    }
    Ok(())
}

fn other_kernels(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let booted = vm::check_all(workspace)?;
    *tally += booted;
    if booted.failed > 0 {
        bail!("{} scenarios failed on other kernels", booted.failed);
    }
    Ok(())
}
