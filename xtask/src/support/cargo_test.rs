//! Runs the workspace's tests with cargo, in two parts: tests that any user can run, and tests that need root.
//!
//! The second part has `test = false` in observer/Cargo.toml, which lets a plain `cargo test` succeed without root.

use std::io::{self, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::failures::Failures;
use super::tally::Tally;
use super::workspace::Workspace;

/// Test programs of the observer that load BPF programs into the kernel.
pub(crate) const PRIVILEGED: [&str; 4] = ["doctor", "end_to_end", "matrix", "scenarios"];

/// Tells observer/tests/skipped.rs that the command itself reports what was left out.
const QUIET: &str = "TCP_REUSE_WATCH_XTASK";

/// The tests that need no root, of all packages.
pub(crate) fn unprivileged(workspace: &Workspace) -> Command {
    let mut command = workspace.cargo();
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]).env(QUIET, "1");
    command
}

/// The tests that need root.
pub(crate) fn privileged(workspace: &Workspace) -> Command {
    let mut command = workspace.cargo();
    // --workspace, although all are in one package: with another selection of packages, cargo builds some dependencies
    // with other features, and so a second time.
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    command.args(PRIVILEGED.iter().flat_map(|name| ["--test", name]));
    command
}

/// Runs `cargo test`, adds its results to `tally` and what failed tests printed to `failures`. Fails if a test failed or
/// none ran.
pub(crate) fn run(mut command: Command, tally: &mut Tally, failures: &mut Failures) -> Result<()> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot run cargo test")?;
    let stdout = child.stdout.take().context("cargo test has no output")?;
    let counted = Tally::follow(BufReader::new(stdout), io::stdout(), failures)
        .context("cannot read the output of cargo test")?;
    *tally += counted;
    let status = child.wait().context("cannot wait for cargo test")?;
    if !status.success() || counted.failed > 0 {
        bail!("cargo test failed: {status}");
    }
    if counted.passed == 0 {
        bail!("no test ran");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Manifest {
        test: Vec<Target>,
    }

    #[derive(Deserialize)]
    struct Target {
        name: String,
        #[serde(default = "runs_by_default")]
        test: bool,
    }

    fn runs_by_default() -> bool {
        true
    }

    #[test]
    fn plain_cargo_test_leaves_out_the_privileged_tests() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../observer/Cargo.toml");
        let manifest: Manifest = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let left_out = manifest.test.into_iter().filter(|target| !target.test).map(|target| target.name);
        let mut left_out: Vec<String> = left_out.collect();
        left_out.sort();
        assert_eq!(left_out, PRIVILEGED);
    }
}
