//! How a watch ends: by signals, by its duration, on a closed standard output, and by force.

use std::{fs, io::Read as _, time::Duration};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{
    eventually,
    kernel::loaded_by,
    machine::Machine,
    peer::{Peer, ask},
    programs::program,
    report::assert_fields,
    tool::{self, PROGRAM, Process, RunOutput, RunningWatch},
};

#[test]
fn signals_end_the_watch_with_a_summary() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut watch = machine.watch(format!("-p {}", peer.port()));
        ask(&mut peer.connect());
        watch.tool.signal(signal);
        let report = watch.ended();
        report.assert_totals(&json!({ "opened": 1, "exchanges": 1 }));
    }
}

/// As under nohup.
#[test]
fn hangup_that_was_ignored_at_the_start_stays_ignored() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let mut sh = program("sh", "dash");
    sh.args(["-c", r#"trap "" HUP; exec "$0" "$@""#, PROGRAM, "-o", "json", "-p", &peer.port().to_string()]);
    let mut watch = RunningWatch::start_command(&mut sh);
    for _ in 0..3 {
        watch.tool.signal(Signal::HUP);
        ask(&mut peer.connect());
    }
    assert!(watch.tool.has_ended().is_none(), "the watch was ended by SIGHUP");
    watch.tool.signal(Signal::INT);
    let mut text = String::new();
    watch.stdout.read_to_string(&mut text).expect("the output is UTF-8");
    assert_eq!(watch.tool.wait(Duration::from_mins(2)).code(), Some(0));
    let summary: Value = serde_json::from_str(text.lines().last().expect("a summary")).expect("JSON");
    assert_fields(&summary["totals"], &json!({ "opened": 3, "exchanges": 3 }));
    drop(machine);
}

#[test]
fn duration_beyond_the_clock_never_ends_the_watch() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let mut watch = machine.watch(format!("-p {} --duration {}", peer.port(), u64::MAX));
    ask(&mut peer.connect());
    assert!(watch.tool.has_ended().is_none());
    watch.tool.signal(Signal::INT);
    watch.ended().assert_totals(&json!({ "opened": 1, "exchanges": 1 }));
}

/// Attaching does not count.
#[test]
fn duration_counts_from_the_start_of_the_watch() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let mut watch = machine.watch(format!("-p {} --duration 3s", peer.port()));
    ask(&mut peer.connect());
    let report = watch.ended();
    report.assert_totals(&json!({ "opened": 1, "exchanges": 1 }));
    let duration_us = report.summary["duration_us"].as_u64().expect("a time");
    assert!(duration_us >= 3_000_000, "{duration_us}");
}

/// strace lets every read of a map fail, from one moment on.
#[test]
fn counters_that_cannot_be_read_any_more_cost_neither_summary_nor_recording() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let directory = tempdir().expect("cannot create a directory");
    let [summary, recording] = ["summary", "recording"].map(|name| directory.path().join(name));
    let files = format!("--summary {} --record {}", summary.display(), recording.display());
    let mut watch = RunningWatch::start(&format!("-p {} -o json {files}", peer.port()));
    ask(&mut peer.connect());
    let recorded = || fs::read_to_string(&recording).unwrap_or_default();
    eventually("the exchange is in a sample", || recorded().contains(r#""new":1"#));
    let pid = watch.tool.id().to_string();
    let mut strace = program("strace", "strace");
    let _strace = Process::start(strace.args(["-f", "-qq", "-o", "/dev/null", "-p", &pid]).args([
        "-e",
        "trace=bpf",
        "-e",
        "inject=bpf:error=EPERM",
    ]));
    assert_eq!(watch.tool.wait(Duration::from_mins(1)).code(), Some(1));
    let mut text = String::new();
    watch.stdout.read_to_string(&mut text).expect("the output is UTF-8");
    let last: Value = serde_json::from_str(text.lines().last().expect("a summary")).expect("JSON");
    let written = fs::read_to_string(&summary).expect("cannot read the summary");
    assert_eq!(serde_json::from_str::<Value>(&written).expect("JSON"), last);
    assert_fields(&last["totals"], &json!({ "opened": 1, "exchanges": 1 }));
    assert_fields(&last, &json!({ "complete": false, "exact": false }));
    let replay = RunOutput::run(&mut tool::command(&format!("replay -o json --speed max {}", recording.display())));
    replay.assert_code(0);
    let replayed: Value = serde_json::from_str(replay.stdout.lines().last().expect("a summary")).expect("JSON");
    assert_eq!((&replayed["totals"], &replayed["complete"]), (&last["totals"], &last["complete"]));
    drop(machine);
}

#[test]
fn pipe_to_head_ends_the_watch_quietly() {
    let _machine = Machine::shared();
    let mut bash = program("bash", "bash");
    bash.args(["-o", "pipefail", "-c", r#""$0" -o lines | head -1"#, PROGRAM]);
    let ended = RunOutput::run(&mut bash);
    ended.assert_code(0);
    assert_eq!((ended.stdout.lines().count(), ended.stderr.as_str()), (1, ""));
}

/// Closes the pipe after the first line, with and without traffic.
#[test]
fn closed_standard_output_ends_the_watch() {
    let _machine = Machine::shared();
    let peer = Peer::echo();
    for (output, with_traffic) in [("lines", false), ("lines", true), ("json", false), ("json", true)] {
        let RunningWatch { mut tool, stdout, .. } = RunningWatch::start(&format!("-p {} -o {output}", peer.port()));
        drop(stdout);
        if with_traffic {
            (0..20).for_each(|_| ask(&mut peer.connect()));
        }
        let status = tool.wait(Duration::from_mins(2));
        assert_eq!(status.code(), Some(0), "-o {output}, traffic {with_traffic}");
        assert_eq!(tool.stderr(), "", "-o {output}, traffic {with_traffic}");
    }
}

#[test]
fn kernel_keeps_no_program_or_map() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    for signal in [Signal::KILL, Signal::INT] {
        let mut watch = machine.watch(format!("-p {}", peer.port()));
        let mut stream = peer.connect();
        ask(&mut stream);
        let loaded = loaded_by(watch.tool.id());
        assert!(loaded.programs.len() >= 5 && loaded.maps.len() >= 5, "a watch holds more: {loaded:?}");
        let there = loaded.left();
        assert_eq!((there.programs.len(), there.maps.len()), (loaded.programs.len(), loaded.maps.len()), "{there:?}");
        watch.tool.signal(signal);
        watch.tool.wait(Duration::from_mins(2));
        // The kernel frees them some time after the last holder has exited.
        eventually(&format!("{loaded:?} is gone"), || {
            let left = loaded.left();
            left.programs.is_empty() && left.maps.is_empty()
        });
        // The connection outlives the watch.
        ask(&mut stream);
    }
}

#[test]
fn concurrent_watch_continues_when_another_ends() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let first = machine.watch(format!("-p {}", peer.port()));
    let second = machine.watch(format!("-p {}", peer.port()));
    let mut stream = peer.connect();
    ask(&mut stream);
    first.end().assert_totals(&json!({ "opened": 1, "open": 1, "exchanges": 1 }));
    ask(&mut stream);
    drop(stream);
    ask(&mut peer.connect());
    peer.wait_for(2);
    let report = second.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 2, "closed": 2, "exchanges": 3, "new": 2, "reused": 1 }));
}
