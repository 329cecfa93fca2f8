//! A disk without space, for each file that a watch writes. Everything else is written, and standard error says what is
//! missing.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::{
    mount::{MountFlags, UnmountFlags, mount, unmount},
    process::Signal,
};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::support::{
    contract, eventually,
    machine::Machine,
    peer::{Peer, ask, visit},
    report::{Report, assert_fields},
    tool::{self, Process, RunOutput},
};

const CONNECTIONS: u64 = 300;

/// A tmpfs with 64 KiB of space.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new() -> Self {
        let folder = tempdir().expect("cannot create a directory");
        mount("tmpfs", folder.path(), "tmpfs", MountFlags::empty(), Some(c"size=64k")).expect("cannot mount a tmpfs");
        Self(folder)
    }

    /// Leaves no space.
    fn fill(&self) {
        let path = self.0.path().join("filler");
        let full = fs::write(&path, vec![0; 128 << 10]).expect_err("the disk should be full");
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Err(error) = unmount(self.0.path(), UnmountFlags::DETACH) {
            eprintln!("{} stays mounted: {error}", self.0.path().display());
        }
    }
}

fn read_summary(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("cannot read the summary");
    let summary = serde_json::from_str(&text).expect("the summary is JSON");
    contract::check_summary(&summary);
    summary
}

fn assert_says(stderr: &str, words: &[&str]) {
    assert!(stderr.lines().count() == 1 && words.iter().all(|word| stderr.contains(word)), "{words:?}: {stderr}");
}

/// The summary is shown on standard output, and the recording has its end.
#[test]
fn summary_file_without_space_costs_no_other_output() {
    let _machine = Machine::shared();
    let (disk, folder) = (SmallDisk::new(), tempdir().expect("cannot create a directory"));
    let (summary, recording) = (disk.file("summary"), folder.path().join("recording"));
    let peer = Peer::echo();
    let files = format!("--summary {} --record {}", summary.display(), recording.display());
    let mut command = tool::command(&format!("-p {} -o json {files}", peer.port()));
    let stdout = File::create(folder.path().join("stdout")).expect("cannot create a file");
    let mut watch = Process::start(command.stdout(stdout).stderr(Stdio::piped()));
    eventually("the watch is attached", || fs::read(&recording).is_ok_and(|bytes| !bytes.is_empty()));
    visit(&peer, 3);
    peer.wait_for(3);
    disk.fill();
    watch.signal(Signal::INT);
    assert_eq!(watch.wait(Duration::from_mins(2)).code(), Some(1));
    assert_says(&watch.stderr(), &["cannot write the summary", &summary.display().to_string(), "No space left"]);
    let text = fs::read_to_string(folder.path().join("stdout")).expect("cannot read the output");
    let shown = Report::read(text.lines().map(str::to_owned));
    shown.assert_complete();
    shown.assert_totals(&json!({ "opened": 3, "exchanges": 3 }));

    let replay = format!("replay -o json --speed max {}", recording.display());
    let replayed = RunOutput::run(&mut tool::command(&replay));
    replayed.assert_code(0);
    assert_eq!(replayed.stdout.lines().last(), text.lines().last());
    // The same for the summary of a replay.
    let replayed =
        RunOutput::run(&mut tool::command(&format!("{replay} --summary {}", disk.file("of-replay").display())));
    replayed.assert_code(1);
    assert_says(&replayed.stderr, &["cannot write the summary", "No space left"]);
    assert_eq!(replayed.stdout.lines().last(), text.lines().last());
}

/// The watch ends, because nobody sees it any more. What was counted until then is in the summary file.
#[test]
fn redirected_output_without_space_ends_the_watch_with_its_summary_file() {
    let _machine = Machine::shared();
    let (disk, folder) = (SmallDisk::new(), tempdir().expect("cannot create a directory"));
    let summary = folder.path().join("summary");
    let peer = Peer::echo();
    let mut command = tool::command(&format!("-p {} -o json --summary {}", peer.port(), summary.display()));
    let stdout = File::create(disk.file("stdout")).expect("cannot create a file");
    let mut watch = Process::start(command.stdout(stdout).stderr(Stdio::piped()));
    eventually("the watch is attached", || fs::read(disk.file("stdout")).is_ok_and(|bytes| !bytes.is_empty()));
    let mut visits = 0;
    while watch.has_ended().is_none() {
        visit(&peer, 10);
        visits += 10;
    }
    assert_eq!(watch.wait(Duration::from_mins(2)).code(), Some(1));
    assert_says(&watch.stderr(), &["standard output", "No space left"]);
    let totals = &read_summary(&summary)["totals"];
    // It ended during a visit at the latest.
    assert!((1..=visits).contains(&totals["exchanges"].as_u64().expect("a number")), "{visits} visits: {totals:#}");
}

/// A log that cannot be written is no reason to stop.
#[test]
fn log_file_without_space_costs_nothing_else() {
    let machine = Machine::shared();
    let disk = SmallDisk::new();
    let log = disk.file("log");
    let peer = Peer::echo();
    File::create(&log).expect("cannot create a file");
    disk.fill();
    let watch = machine.watch(format!("-p {} -v --log-file {}", peer.port(), log.display()));
    visit(&peer, CONNECTIONS);
    peer.wait_for(CONNECTIONS);
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": CONNECTIONS, "exchanges": CONNECTIONS }));
}

/// All at once: the summary is on standard output only.
#[test]
fn everything_is_full_but_standard_output() {
    let machine = Machine::shared();
    let disk = SmallDisk::new();
    let [log, recording, summary] = ["log", "recording", "summary"].map(|name| disk.file(name));
    let peer = Peer::echo();
    let files = format!("--record {} --summary {}", recording.display(), summary.display());
    let mut watch = machine.watch(format!("-p {} -v --log-file {} {files}", peer.port(), log.display()));
    let mut kept = peer.connect();
    (0..CONNECTIONS).for_each(|_| ask(&mut peer.connect()));
    ask(&mut kept);
    drop(kept);
    peer.wait_for(CONNECTIONS + 1);
    disk.fill();
    watch.tool.signal(Signal::INT);
    let report = watch.ended_with(1);
    report.assert_complete();
    report.assert_totals(&json!({ "opened": CONNECTIONS + 1, "exchanges": CONNECTIONS + 1 }));
    assert_fields(report.only("notice"), &json!({ "kind": "record" }));
}
