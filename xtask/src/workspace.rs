//! Where things are in this repository, and how programs are run in it.
//!
//! The root is asked of cargo each time and not compiled in: a copied folder with its target directory must not build
//! the folder it was copied from.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::{env, io};

use anyhow::{Context, Result, bail};

/// This repository's folders.
pub(crate) struct Workspace {
    /// Where the workspace's Cargo.toml is
    pub(crate) root: PathBuf,
    /// Where cargo builds
    pub(crate) target: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        let xtask = env::var_os("CARGO_MANIFEST_DIR").context("not started by cargo: run this as `cargo xtask`")?;
        let root = PathBuf::from(xtask).parent().context("xtask has no parent folder")?.to_owned();
        let target = root.join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()));
        Ok(Self { root, target })
    }

    /// The folder of the committed BPF objects.
    pub(crate) fn bpf(&self) -> PathBuf {
        self.root.join("observer/bpf")
    }

    /// The cargo that runs this program, in the repository's root.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(cargo());
        command.current_dir(&self.root);
        command
    }
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Builds the program that is measured, for one who may load its programs into the kernel: where it is.
pub(crate) fn release(workspace: &Workspace) -> Result<PathBuf> {
    if !is_root() {
        bail!("programs are loaded into the kernel: run this as root");
    }
    run(workspace.cargo().args(["build", "--release", "--locked", "--package", "tcp-reuse-watch"]))?;
    Ok(workspace.target.join("release/tcp-reuse-watch"))
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs a command on this terminal; an error if it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| cannot_run(command))?;
    if !status.success() {
        bail!("{} failed: {status}", describe(command));
    }
    Ok(())
}

/// Runs a command and returns what it printed; an error if it fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } = command.output().with_context(|| cannot_run(command))?;
    if !status.success() {
        bail!("{} failed: {status}: {}", describe(command), String::from_utf8_lossy(&stderr).trim());
    }
    String::from_utf8(stdout).with_context(|| format!("{} printed no valid text", describe(command)))
}

/// Whether a command can be run and succeeds; its output is not shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let output: io::Result<Output> = command.output();
    output.is_ok_and(|output| output.status.success())
}

/// The command as a person would type it, for messages.
pub(crate) fn describe(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str()).to_owned();
    let words: Vec<_> = std::iter::once(program.as_os_str()).chain(command.get_args()).collect();
    words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn cannot_run(command: &Command) -> String {
    format!("cannot run {}", command.get_program().display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_described_without_its_folder() {
        let mut command = Command::new("/opt/toolchain/bin/cargo");
        assert_eq!(describe(command.args(["fmt", "--all"])), "cargo fmt --all");
    }

    #[test]
    fn a_failing_command_is_an_error_that_says_what_failed() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "sh -c exit 3 failed: exit status: 3");
        assert!(
            output(Command::new("sh").args(["-c", "echo why >&2; exit 1"])).unwrap_err().to_string().ends_with("why")
        );
    }
}
