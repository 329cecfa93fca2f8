//! Paths of the repository, and running programs in it.
//!
//! The root comes from cargo at run time and is not compiled in: a copy of the repository with its target folder would
//! otherwise build the original.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::{env, io};

use anyhow::{Context, Result, bail};

/// The folders of the repository.
pub(crate) struct Workspace {
    /// Folder of the workspace's Cargo.toml
    pub(crate) root: PathBuf,
    /// Folder that cargo builds in
    pub(crate) target: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        let xtask = env::var_os("CARGO_MANIFEST_DIR").context("not started by cargo: run `cargo xtask`")?;
        let root = PathBuf::from(xtask).parent().context("xtask has no parent folder")?.to_owned();
        let target = root.join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()));
        Ok(Self { root, target })
    }

    /// Folder of the committed BPF objects.
    pub(crate) fn bpf(&self) -> PathBuf {
        self.root.join("observer/bpf")
    }

    /// A command that runs cargo in the root.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(cargo());
        command.current_dir(&self.root);
        command
    }
}

/// The cargo that started this program.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Builds the release binary and returns its path. Fails without root, because the callers then run it.
pub(crate) fn release(workspace: &Workspace) -> Result<PathBuf> {
    if !is_root() {
        bail!("the tool loads BPF programs into the kernel: run this as root");
    }
    run(workspace.cargo().args(["build", "--release", "--locked", "--package", "tcp-reuse-watch"]))?;
    Ok(workspace.target.join("release/tcp-reuse-watch"))
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs a command with this process's input and output.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| cannot_run(command))?;
    if !status.success() {
        bail!("{} failed: {status}", describe(command));
    }
    Ok(())
}

/// Runs a command and returns its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } = command.output().with_context(|| cannot_run(command))?;
    if !status.success() {
        bail!("{} failed: {status}: {}", describe(command), String::from_utf8_lossy(&stderr).trim());
    }
    String::from_utf8(stdout).with_context(|| format!("{} printed invalid UTF-8", describe(command)))
}

/// Whether a command can be run and succeeds. Hides its output.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let output: io::Result<Output> = command.output();
    output.is_ok_and(|output| output.status.success())
}

/// The command line for messages, without the folder of the program.
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
    fn description_lacks_the_folder_of_the_program() {
        let mut command = Command::new("/opt/toolchain/bin/cargo");
        assert_eq!(describe(command.args(["fmt", "--all"])), "cargo fmt --all");
    }

    #[test]
    fn error_names_the_command_that_failed() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "sh -c exit 3 failed: exit status: 3");
        assert!(
            output(Command::new("sh").args(["-c", "echo why >&2; exit 1"])).unwrap_err().to_string().ends_with("why")
        );
    }
}
