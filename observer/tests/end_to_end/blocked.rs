//! A standard output that takes nothing more: counting goes on, and so do the ends.

use std::{fs, io::Read as _, process::Stdio, time::Duration};

use rustix::{io::ioctl_fionread, process::Signal};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{
    contract, eventually,
    machine::Machine,
    peer::{Peer, ask},
    report::{Report, assert_fields},
    tool::{self, Begun, Process},
};

/// Makes far more traffic than a pipe holds: ten exchanges a connection.
fn fill(begun: &Begun, peer: &Peer, connections: u64) {
    for n in 0..connections {
        let mut stream = peer.connect();
        (0..10).for_each(|_| ask(&mut stream));
        if n == connections / 2 {
            let pipe = begun.stdout.get_ref();
            // It can be full with less than its size in it: each write begins a new page.
            eventually("the pipe is filled", || ioctl_fionread(pipe).expect("a pipe says it") > 32_000);
        }
    }
    peer.wait_for(connections);
}

#[test]
fn counting_goes_on() {
    const CONNECTIONS: u64 = 4_000;
    let _machine = Machine::alone();
    let peer = Peer::echo();
    let mut begun = Begun::watch(&format!("-p {} -o json --exchanges", peer.port()));
    fill(&begun, &peer, CONNECTIONS);
    // Now it is read again, to the end.
    begun.tool.signal(Signal::INT);
    let mut text = begun.first;
    begun.stdout.read_to_string(&mut text).expect("the output is UTF-8");
    assert_eq!(begun.tool.wait(Duration::from_secs(10)).code(), Some(0));
    let report = Report::read(text.lines().map(str::to_owned));
    let lost = report.total("events_lost");
    println!("{lost} rows lost of {}", CONNECTIONS * 12);
    report.assert_totals(&json!({ "opened": CONNECTIONS, "closed": CONNECTIONS, "exchanges": 10 * CONNECTIONS }));
    report.assert_totals(&json!({ "new": CONNECTIONS, "reused": 9 * CONNECTIONS, "unused": 0, "untracked": 0 }));
    assert_fields(&report.summary, &json!({ "complete": lost == 0, "exact": true }));
    assert_eq!(report.rows.len() as u64 + lost, 12 * CONNECTIONS, "each row is written or counted as lost");
}

#[test]
fn a_signal_ends_the_watch() {
    const CONNECTIONS: u64 = 1_000;
    let _machine = Machine::alone();
    let folder = tempdir().expect("a folder can be made");
    let file = folder.path().join("summary");
    let peer = Peer::echo();
    let arguments = format!("-p {} -o json --exchanges --summary {}", peer.port(), file.display());
    let mut begun = Begun::watch(&arguments);
    fill(&begun, &peer, CONNECTIONS);
    begun.tool.signal(Signal::TERM);
    let status = begun.tool.wait(Duration::from_secs(5));
    assert_eq!(status.code(), Some(1), "the summary could not be written to standard output");
    assert!(begun.tool.stderr().contains("standard output"), "it says so");
    let summary: Value = serde_json::from_str(&fs::read_to_string(&file).expect("the file is there")).expect("JSON");
    contract::check_summary(&summary);
    assert_fields(&summary["totals"], &json!({ "opened": CONNECTIONS, "exchanges": 10 * CONNECTIONS }));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let _machine = Machine::alone();
    let peer = Peer::echo();
    let mut begun = Begun::watch(&format!("-p {} -o json --exchanges", peer.port()));
    fill(&begun, &peer, 500);
    begun.tool.signal(Signal::INT);
    std::thread::sleep(Duration::from_millis(200));
    assert!(begun.tool.has_ended().is_none(), "it waits for standard output");
    begun.tool.signal(Signal::INT);
    assert_eq!(begun.tool.wait(Duration::from_secs(5)).code(), Some(1));
    // Had it waited to the end, it would say that standard output did not take the summary.
    assert_eq!(begun.tool.stderr(), "");
}

#[test]
fn a_full_disk_is_said_and_the_summary_kept() {
    let _machine = Machine::shared();
    let folder = tempdir().expect("a folder can be made");
    let file = folder.path().join("summary");
    let peer = Peer::echo();
    let arguments = format!("-p {} -o json --summary {}", peer.port(), file.display());
    let full = fs::File::options().write(true).open("/dev/full").expect("it can be opened");
    let mut tool = Process::start(tool::command(&arguments).stdout(full).stderr(Stdio::piped()));
    assert_eq!(tool.wait(Duration::from_secs(10)).code(), Some(1));
    let stderr = tool.stderr();
    assert!(stderr.contains("standard output") && stderr.contains("No space left"), "{stderr}");
    contract::check_summary(&serde_json::from_str(&fs::read_to_string(&file).expect("it is there")).expect("JSON"));
}
