//! `cargo xtask test`: every check there is, the cheapest first. CI runs this command and nothing else: if it passes here,
//! it passes there.

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::support::cargo_test;
use crate::support::failures::Failures;
use crate::support::packages;
use crate::support::steps::{cargo, lint, step};
use crate::support::tally::Tally;
use crate::support::workspace::{Workspace, is_root};
use crate::{ebpf, fuzz, soak, vm};

/// Long enough for each kind of churn to occur many times.
const SOAK: Duration = Duration::from_mins(2);

/// Run every check and test there is
///
/// Formatting, lints, the BPF objects, all tests, ten seconds of each fuzz target, two minutes of soak, and the scenarios
/// on other kernels.
///
/// The end-to-end tests need root. As root, the command first lists and installs the Debian packages that it lacks;
/// otherwise it prints the apt-get line that does. The last line is the total: `N passed, N failed, N skipped`.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> ExitCode {
    let mut tally = Tally::default();
    let outcome = Workspace::find().and_then(|workspace| steps(&workspace, &mut tally));
    if let Err(error) = &outcome {
        eprintln!("error: {error:#}");
    }
    // Printed here rather than in main, because the total has to be the last line.
    println!("{tally}");
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn steps(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    step("Debian packages", install_packages)?;
    lint(workspace)?;
    step("cargo xtask ebpf --check", || ebpf::check(workspace))?;
    cargo(workspace, &["build", "--release", "--locked", "--package", "tcp-reuse-watch"])?;
    step("cargo test", || all_tests(workspace, tally))?;
    step("cargo xtask fuzz", || fuzz(workspace, tally))?;
    step("cargo xtask soak", || soak(workspace, tally))?;
    step("cargo xtask vm", || other_kernels(workspace, tally))
}

fn install_packages() -> Result<()> {
    let needed = [packages::FOR_TESTS, packages::FOR_FUZZ, packages::FOR_VM].concat();
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
    println!("some tests will fail because packages are missing: run `{line}`");
    Ok(())
}

/// Runs both parts even if the first fails, so one run shows all failures.
fn all_tests(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    if !is_root() {
        println!("not root: the end-to-end tests will fail");
    }
    let mut failures = Failures::default();
    let unprivileged = cargo_test::run(cargo_test::unprivileged(workspace), tally, &mut failures);
    let privileged = cargo_test::run(cargo_test::privileged(workspace), tally, &mut failures);
    // Printed again here, because it is far from the end of the log.
    print!("{failures}");
    unprivileged.and(privileged)
}

fn fuzz(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let result = fuzz::check(workspace, &[], fuzz::Limit::Time(Duration::from_secs(fuzz::SECONDS)))?;
    *tally += result;
    if result.failed > 0 {
        bail!("{} fuzz targets failed", result.failed);
    }
    Ok(())
}

fn soak(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let result = soak::check(workspace, SOAK, soak::Memory::Printed)?;
    *tally += result;
    if result.failed > 0 {
        bail!("{} checks failed after the soak", result.failed);
    }
    Ok(())
}

fn other_kernels(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let result = vm::check_all(workspace)?;
    *tally += result;
    if result.failed > 0 {
        bail!("{} scenarios failed on other kernels", result.failed);
    }
    Ok(())
}
