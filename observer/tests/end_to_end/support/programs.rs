//! Programs of the distribution. A missing program fails the test, because a skipped test looks like a passed one.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use rustix::fs::{FlockOperation, flock};

/// The command, after a check that the program is installed.
pub(crate) fn program(name: &str, package: &str) -> Command {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()));
    assert!(found, "{name} is missing: run `sudo apt-get install -y {package}`");
    Command::new(name)
}

/// Runs a command, which must succeed, and returns its output.
#[track_caller]
pub(crate) fn output_of(command: &mut Command) -> String {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?} ended with {status}: {stderr}");
    String::from_utf8(stdout).expect("the output is UTF-8")
}

/// The compilers' output directory, locked against compilers of other test runs while the file is held.
pub(crate) fn compilers_folder() -> (&'static Path, File) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let lock = File::create(folder.join("compilers.lock")).expect("cannot create the lock file");
    flock(&lock, FlockOperation::LockExclusive).expect("cannot lock the compilers' directory");
    (folder, lock)
}

/// Compiles a program; Go itself skips the build when nothing has changed.
pub(crate) fn go_program(name: &str, source: &str) -> PathBuf {
    let (folder, _lock) = compilers_folder();
    let (path, file) = (folder.join(name), folder.join(format!("{name}.go")));
    fs::write(&file, source).expect("cannot write the source");
    let mut go = program("go", "golang-go");
    // Uses Go's defaults whatever the environment, and the distribution's libraries.
    go.env("GO111MODULE", "off").env("GOPATH", "/usr/share/gocode").env_remove("GOFLAGS");
    output_of(go.arg("build").arg("-o").args([&path, &file]));
    path
}
