//! A standard output that accepts no more data must not stop the counting, nor the ways to end a watch.

use std::{fmt::Write as _, fs, io::Read as _, process::Stdio, time::Duration};

use rustix::{io::ioctl_fionread, process::Signal};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{
    contract, eventually,
    kernel::loaded_by,
    machine::Machine,
    peer::{Peer, ask},
    report::{Report, assert_fields},
    tool::{self, Process, RunningWatch},
};

/// Makes far more traffic than a pipe holds, with ten exchanges on each connection.
fn fill(watch: &RunningWatch, peer: &Peer, connections: u64) {
    for n in 0..connections {
        let mut stream = peer.connect();
        (0..10).for_each(|_| ask(&mut stream));
        if n == connections / 2 {
            let pipe = watch.stdout.get_ref();
            // The pipe can be full with fewer bytes than its size, because each write begins a new page.
            eventually("the pipe is filled", || {
                ioctl_fionread(pipe).expect("cannot read the pipe's fill level") > 32_000
            });
        }
    }
    peer.wait_for(connections);
}

#[test]
fn counting_continues_while_standard_output_is_blocked() {
    const CONNECTIONS: u64 = 4_000;
    let _machine = Machine::alone();
    let peer = Peer::echo();
    let mut watch = RunningWatch::start(&format!("-p {} -o json --exchanges", peer.port()));
    fill(&watch, &peer, CONNECTIONS);
    // Reads the pipe to its end.
    watch.tool.signal(Signal::INT);
    let mut text = watch.first;
    watch.stdout.read_to_string(&mut text).expect("the output is UTF-8");
    assert_eq!(watch.tool.wait(Duration::from_mins(2)).code(), Some(0));
    let report = Report::read(text.lines().map(str::to_owned));
    let lost = report.total("events_lost");
    println!("{lost} rows lost of {}", CONNECTIONS * 12);
    report.assert_totals(&json!({ "opened": CONNECTIONS, "closed": CONNECTIONS, "exchanges": 10 * CONNECTIONS }));
    report.assert_totals(&json!({ "new": CONNECTIONS, "reused": 9 * CONNECTIONS, "unused": 0, "untracked": 0 }));
    assert_fields(&report.summary, &json!({ "complete": lost == 0, "exact": true }));
    assert_eq!(report.rows.len() as u64 + lost, 12 * CONNECTIONS, "rows either written or counted as lost");
}

#[test]
fn signal_ends_a_watch_with_blocked_standard_output() {
    const CONNECTIONS: u64 = 1_000;
    let _machine = Machine::alone();
    let folder = tempdir().expect("cannot create a directory");
    let file = folder.path().join("summary");
    let peer = Peer::echo();
    let arguments = format!("-p {} -o json --exchanges --summary {}", peer.port(), file.display());
    let mut watch = RunningWatch::start(&arguments);
    fill(&watch, &peer, CONNECTIONS);
    watch.tool.signal(Signal::TERM);
    let status = watch.tool.wait(Duration::from_mins(2));
    assert_eq!(status.code(), Some(1), "exit code when standard output does not take the summary");
    assert!(watch.tool.stderr().contains("standard output"), "stderr does not mention standard output");
    let summary: Value =
        serde_json::from_str(&fs::read_to_string(&file).expect("cannot read the file")).expect("the file is JSON");
    contract::check_summary(&summary);
    assert_fields(&summary["totals"], &json!({ "opened": CONNECTIONS, "exchanges": 10 * CONNECTIONS }));
}

#[test]
fn second_signal_ends_a_blocked_watch_at_once() {
    let _machine = Machine::alone();
    let peer = Peer::echo();
    let mut watch = RunningWatch::start(&format!("-p {} -o json --exchanges", peer.port()));
    fill(&watch, &peer, 500);
    watch.tool.signal(Signal::INT);
    // It has handled the signal once it has detached its programs. From then on it waits for standard output.
    eventually("the programs are detached", || loaded_by(watch.tool.id()).links == 0);
    watch.tool.signal(Signal::INT);
    assert_eq!(watch.tool.wait(Duration::from_mins(2)).code(), Some(1));
    // A watch that waits to the end reports that standard output did not take the summary.
    assert_eq!(watch.tool.stderr(), "");
}

/// Nobody but its reader waits for the end of a replay.
#[test]
fn replay_waits_for_a_slow_reader() {
    let folder = tempdir().expect("cannot create a directory");
    let file = folder.path().join("recording");
    let mut recording = String::from("{\"recording\":1}\n");
    for id in 1..=2_000 {
        let event = json!({ "unix_ns": id, "kind": "open", "id": id, "connection": { "remote": "192.0.2.1:80" } });
        writeln!(recording, "{}", json!({ "event": event })).expect("a string takes everything");
    }
    writeln!(recording, "{}", json!({ "end": { "unix_ns": 3_000 } })).expect("a string takes everything");
    fs::write(&file, recording).expect("cannot write the recording");
    let arguments = format!("replay {} -o json --speed max", file.display());
    let mut tool = Process::start(tool::command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()));
    // Longer than a watch waits for standard output.
    std::thread::sleep(Duration::from_millis(2_500));
    let mut text = String::new();
    tool.child.stdout.take().expect("stdout is piped").read_to_string(&mut text).expect("the output is UTF-8");
    assert_eq!((tool.wait(Duration::from_mins(2)).code(), tool.stderr().as_str()), (Some(0), ""));
    assert_eq!(text.lines().filter(|line| line.starts_with(r#"{"type":"open""#)).count(), 2_000);
    assert!(text.lines().last().is_some_and(|line| line.starts_with(r#"{"type":"summary""#)));
}

#[test]
fn full_disk_is_reported_and_the_summary_file_is_written() {
    let _machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let file = folder.path().join("summary");
    let peer = Peer::echo();
    let arguments = format!("-p {} -o json --summary {}", peer.port(), file.display());
    let full = fs::File::options().write(true).open("/dev/full").expect("cannot open /dev/full");
    let mut tool = Process::start(tool::command(&arguments).stdout(full).stderr(Stdio::piped()));
    assert_eq!(tool.wait(Duration::from_mins(2)).code(), Some(1));
    let stderr = tool.stderr();
    assert!(stderr.contains("standard output") && stderr.contains("No space left"), "{stderr}");
    let summary = fs::read_to_string(&file).expect("cannot read the file");
    contract::check_summary(&serde_json::from_str(&summary).expect("the file is JSON"));
}
