//! `doctor`, `--btf`, and the errors of `--hooks` on kernels that lack a hook. The tests need root.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "doctor/bad_files.rs"]
mod bad_files;
#[path = "doctor/findings.rs"]
mod findings;
#[path = "doctor/hooks.rs"]
mod hooks;

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tcp-reuse-watch");

/// The time limit of a run, generous for slow and busy machines.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Exit code and output of a run.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(command: &mut Command) -> Ended {
    // Tests that measure or flood hold this lock exclusively.
    let lock = File::create(std::env::temp_dir().join("tcp-reuse-watch-tests.lock")).unwrap();
    flock(&lock, FlockOperation::LockShared).unwrap();
    let started = Instant::now();
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(started.elapsed() < TIMEOUT, "{command:?} took {:?}", started.elapsed());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Runs the tool with arguments separated by spaces.
fn tool(arguments: &str) -> Ended {
    run(Command::new(PROGRAM).args(arguments.split_whitespace()))
}

/// Runs the tool as an unprivileged user. It runs a copy, because this user may lack access to cargo's target folder.
fn tool_as_nobody(arguments: &str) -> Ended {
    let folder = world_readable_folder();
    let copy = folder.path().join("tcp-reuse-watch");
    fs::copy(PROGRAM, &copy).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(copy).args(arguments.split_whitespace());
    run(command.current_dir("/"))
}

fn world_readable_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

/// The option `--btf` with its value.
fn btf(path: &Path) -> String {
    format!("--btf {}", path.display())
}
