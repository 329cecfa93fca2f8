//! `doctor`, `--btf`, and what `--hooks` says when a kernel has not what it asks for. They need root.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

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

/// What no run may exceed, on a slow and busy machine.
const LONGEST: Duration = Duration::from_secs(20);

/// What a run left.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(command: &mut Command) -> Ended {
    // Those who measure or flood keep everybody else away by this lock.
    let lock = File::create(std::env::temp_dir().join("tcp-reuse-watch-tests.lock")).unwrap();
    flock(&lock, FlockOperation::LockShared).unwrap();
    let started = Instant::now();
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(started.elapsed() < LONGEST, "{command:?} took {:?}", started.elapsed());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The tool, with arguments that are separated by spaces.
fn tool(arguments: &str) -> Ended {
    run(Command::new(PROGRAM).args(arguments.split_whitespace()))
}

/// The same as an ordinary user, who may perhaps not run programs where cargo builds them.
fn tool_as_nobody(arguments: &str) -> Ended {
    let folder = folder_for_everybody();
    let copy = folder.path().join("tcp-reuse-watch");
    fs::copy(PROGRAM, &copy).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(copy).args(arguments.split_whitespace());
    run(command.current_dir("/"))
}

fn folder_for_everybody() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

/// What `--btf` gets, with the option before it.
fn btf(path: &Path) -> String {
    format!("--btf {}", path.display())
}
