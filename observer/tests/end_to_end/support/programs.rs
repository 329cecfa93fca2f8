//! Programs from the distribution. One that is missing fails the test: a test that is skipped looks like one that holds.

use std::process::{Command, Output};

/// The program, if it is there.
pub(crate) fn program(name: &str, package: &str) -> Command {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()));
    assert!(found, "{name} is missing: run `sudo apt-get install -y {package}`");
    Command::new(name)
}

/// Runs it to its end, which has to be a good one, and gives what it wrote.
#[track_caller]
pub(crate) fn output_of(command: &mut Command) -> String {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?} ended with {status}: {stderr}");
    String::from_utf8(stdout).expect("the output is UTF-8")
}
