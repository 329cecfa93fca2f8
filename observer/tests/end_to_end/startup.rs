//! Start-up cost of the release build: time to attach, and size of the program.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{
    machine::Machine,
    programs::{output_of, program},
    tool::Process,
};

/// It takes about 0.19 s on two CPUs: half of that is the verifier's walk through the programs.
const MAX_TIME: Duration = Duration::from_millis(300);
const MAX_BYTES: u64 = 10_000_000;
const ROUNDS: usize = 5;

/// Builds the release program, and returns the path that cargo reports.
fn release() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--release", "--quiet", "--message-format=json"]);
    let messages = output_of(cargo.args(["--package", env!("CARGO_PKG_NAME"), "--bin", env!("CARGO_PKG_NAME")]));
    let artifact = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| Some(message.get("executable")?.as_str()?.into()));
    artifact.expect("cargo reports the path of the program")
}

/// The median of five starts.
fn median_time_to_attach(tool: &Path) -> Duration {
    let mut times: Vec<Duration> = (0..5).map(|_| time_to_attach(tool)).collect();
    times.sort_unstable();
    println!("start to attached: median {:?} of {times:?}", times[2]);
    times[2]
}

/// The time from the start of the process to the line that reports the attached hooks.
fn time_to_attach(tool: &Path) -> Duration {
    // Runs with priority over other work, and in a network namespace without the TIME_WAIT sockets of other tests:
    // listing 69,000 of them takes 0.1 s.
    let mut command = program("nice", "coreutils");
    command.args(["-n", "-20", "unshare", "--net"]).arg(tool).args(["-p", "8080", "-o", "json"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let started = Instant::now();
    let mut process = Process::start(&mut command);
    let mut stdout = BufReader::new(process.child.stdout.take().expect("the stream is piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("the output is UTF-8");
    let elapsed = started.elapsed();
    assert!(line.contains(r#""type":"start""#), "{line}");
    process.signal(Signal::INT);
    process.wait(Duration::from_secs(30));
    elapsed
}

#[test]
fn release_build_attaches_within_300_ms_and_is_under_10_mb() {
    let machine = Machine::alone();
    let tool = release();
    let bytes = fs::metadata(&tool).expect("cannot read the program's metadata").len();
    println!("the program has {bytes} bytes");
    assert!(bytes < MAX_BYTES, "{bytes} bytes");
    // Other load can only slow a start down, so the best of several rounds counts.
    let quietest = (0..ROUNDS).map(|_| median_time_to_attach(&tool)).find(|median| *median <= MAX_TIME);
    assert!(quietest.is_some(), "no median of {ROUNDS} was at most {MAX_TIME:?}");
    drop(machine);
}
