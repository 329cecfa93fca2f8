//! The files, sockets and programs that the tool opens, as strace shows them.

use std::{fs, path::Path, time::Duration};

use tempfile::tempdir;

use crate::support::{
    eventually,
    helper::children_of,
    machine::Machine,
    peer::{Peer, ask},
    programs::program,
    tool::{PROGRAM, Process},
};

/// Where a watch reads, beside its own start: the loader's libraries and the time zone.
const READ: [&str; 9] = [
    "/proc",
    "/sys",
    "/dev/null",
    "/dev/tty",
    "/etc/ld.so.",
    "/lib/",
    "/usr/lib/",
    "/etc/localtime",
    "/usr/share/zoneinfo",
];

/// What other processes hold in /proc that the tool leaves alone.
const PRIVATE: [&str; 4] = ["/mem\"", "/environ\"", "/cmdline\"", "/stack\""];

/// The lines of strace for these calls, by a watch of a connection and all its processes.
fn trace(calls: &str, options: &[&str]) -> Vec<String> {
    let _machine = Machine::shared();
    let (peer, folder) = (Peer::echo(), tempdir().expect("cannot create a directory"));
    let file = folder.path().join("trace");
    let mut strace = program("strace", "strace");
    strace.args(["-f", "-qq", "-e", &format!("trace={calls}"), "-e", "signal=none", "-o"]).arg(&file).arg(PROGRAM);
    strace.args(["-o", "json", "--duration", "3", "-p", &peer.port().to_string()]).args(options);
    // In which cargo lists its own folders.
    strace.env_remove("LD_LIBRARY_PATH");
    let mut strace = Process::start(strace.stdout(std::process::Stdio::null()));
    eventually("the tool has a helper", || children_of(strace.id()).iter().any(|tool| !children_of(*tool).is_empty()));
    // Until the watch has ended, so that one is sure to be seen.
    while strace.has_ended().is_none() {
        ask(&mut peer.connect());
        std::thread::sleep(Duration::from_millis(100));
    }
    fs::read_to_string(file).expect("cannot read the trace").lines().map(str::to_owned).collect()
}

#[test]
fn only_named_files_are_written_and_nothing_private_is_read() {
    let folder = tempdir().expect("cannot create a directory");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (recording, summary, log) = (file("recording"), file("summary"), file("log"));
    let options = ["--record", &recording, "--summary", &summary, "--log-file", &log, "-v"];
    let opened = trace("open,openat,creat", &options);
    assert!(opened.iter().any(|line| line.contains("/exe\"")), "the helper has looked into a process");
    let written: Vec<&String> =
        opened.iter().filter(|line| ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| line.contains(flag))).collect();
    assert!(written.len() >= 3, "{written:#?}");
    for line in written {
        assert!(line.contains(folder.path().to_str().expect("UTF-8")), "{line}");
    }
    for line in opened.iter().filter(|line| line.contains('"')) {
        let path = line.split('"').nth(1).unwrap_or_default();
        let is_expected =
            READ.iter().any(|start| path.starts_with(start)) || Path::new(path).starts_with(folder.path());
        assert!(is_expected || path == ".", "{line}");
        assert!(!PRIVATE.iter().any(|end| line.contains(end)), "{line}");
    }
}

#[test]
fn no_internet_socket_is_made_without_metrics() {
    let sockets = trace("socket,connect,bind,listen", &[]);
    let of_internet: Vec<&String> = sockets.iter().filter(|line| line.contains("AF_INET")).collect();
    assert!(of_internet.is_empty(), "{of_internet:#?}");
    assert!(!sockets.iter().any(|line| line.contains("listen(")), "{sockets:#?}");
}

#[test]
fn no_program_is_executed() {
    let executed = trace("execve,execveat", &[]);
    assert_eq!(executed.len(), 1, "the tool itself: {executed:#?}");
}
