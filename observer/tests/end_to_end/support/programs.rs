//! Programs from the distribution. One that is missing fails the test: a test that is skipped looks like one that holds.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use rustix::fs::{FlockOperation, flock};

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

/// Where compilers put what they make. No other run's compiler is at work there while the file is kept.
pub(crate) fn compilers_folder() -> (&'static Path, File) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let lock = File::create(folder.join("compilers.lock")).expect("a lock file can be created");
    flock(&lock, FlockOperation::LockExclusive).expect("another run's compiler can be waited for");
    (folder, lock)
}

/// Compiles a program; Go itself sees when nothing has changed.
pub(crate) fn go_program(name: &str, source: &str) -> PathBuf {
    let (folder, _lock) = compilers_folder();
    let (path, file) = (folder.join(name), folder.join(format!("{name}.go")));
    fs::write(&file, source).expect("the source can be written");
    let mut go = program("go", "golang-go");
    // Go as it comes, whatever the surroundings say; libraries are the distribution's.
    go.env("GO111MODULE", "off").env("GOPATH", "/usr/share/gocode").env_remove("GOFLAGS");
    output_of(go.arg("build").arg("-o").args([&path, &file]));
    path
}
