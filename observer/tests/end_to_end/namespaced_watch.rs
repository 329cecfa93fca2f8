//! A watch in a PID or time namespace of its own, as in a container. The kernel side reports processes by their ids on
//! the machine, which mean other processes there, or none.

use std::{
    fs,
    io::Read as _,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{
    dialogue::Dialogue,
    helper::children_of,
    machine::Machine,
    peer::{Peer, bash_request},
    programs::program,
    report::{Report, assert_fields},
    tool::{PROGRAM, RunOutput, RunningWatch},
};

/// Samples are taken once a second.
const TWO_SAMPLES: Duration = Duration::from_millis(2_200);

const PID: &[&str] = &["--pid", "--fork", "--mount-proc"];
/// /proc is still the machine's.
const PID_WITHOUT_PROC: &[&str] = &["--pid", "--fork"];
const TIME: &[&str] = &["--time", "--boottime", "100000", "--fork"];

/// Runs a command of the shell in namespaces of its own, in which `$0` is the tool.
fn unshare(options: &[&str], script: &str) -> Command {
    let mut unshare = program("unshare", "util-linux");
    unshare.args(options).args(["--mount", "bash", "-c", script, PROGRAM]).stdin(Stdio::null());
    unshare
}

/// A watch as the last child of the shell that [`unshare`] has started.
struct NamespacedWatch(RunningWatch);

impl NamespacedWatch {
    fn start(options: &[&str], script: &str) -> Self {
        Self(RunningWatch::start_command(&mut unshare(options, script)))
    }

    fn end(self) -> Report {
        let Self(RunningWatch { mut tool, mut stdout, first: mut text }) = self;
        let shell = children_of(tool.id())[0];
        for child in children_of(shell) {
            let child = Pid::from_raw(child.cast_signed()).expect("a pid is positive");
            kill_process(child, Signal::INT).expect("the watch is running");
        }
        stdout.read_to_string(&mut text).expect("the output is UTF-8");
        assert_eq!((tool.wait(Duration::from_secs(30)).code(), tool.stderr().as_str()), (Some(0), ""));
        Report::read(text.lines().map(str::to_owned))
    }
}

/// Asks twice, each time on a connection of its own. In between, samples are taken.
fn assert_followed(options: &[&str], before: &str) {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let port = peer.port();
    let request = bash_request(port);
    let mut client = program("bash", "bash");
    client.args(["-c", &format!("read; {request}; read; exec 4<&3; {request}; echo asked; read; exit 0")]);
    let mut client = Dialogue::start(&mut client);
    let pid = client.process.id();
    let before = before.replace("PID", &pid.to_string());
    let watch = NamespacedWatch::start(options, &format!("{before} $0 -o json -p {port}; exit"));
    client.send_line("");
    sleep(TWO_SAMPLES);
    client.send_line("");
    client.wait_for_line("asked");
    sleep(TWO_SAMPLES);
    let report = watch.end();
    client.end();
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    let counts = json!({ "opened": 2, "open": 2, "exchanges": 2, "needed": 2, "process": "bash" });
    assert_fields(group, &counts);
    assert_fields(group, &json!({ "pid": pid, "processes": 1 }));
    report.assert_complete();
    let [notice] = report.of_type("notice")[..] else { panic!("expected one notice: {:#?}", report.rows) };
    assert_fields(notice, &json!({ "kind": "namespace" }));
    drop(machine);
}

#[test]
fn living_process_without_an_id_in_the_watchs_namespace_has_not_ended() {
    assert_followed(PID, "");
    assert_followed(PID_WITHOUT_PROC, "");
}

#[test]
fn other_process_with_the_same_id_in_the_watchs_namespace_is_not_mistaken_for_it() {
    assert_followed(PID, "echo $((PID - 1)) >/proc/sys/kernel/ns_last_pid; sleep 600 & test $! = PID || exit 7;");
}

#[test]
fn living_process_has_not_ended_in_another_time_namespace() {
    assert_followed(TIME, "");
}

/// Its id there would be taken for one of the machine.
#[test]
fn owner_of_a_pre_existing_connection_stays_unknown_in_another_namespace() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let port = peer.port();
    let watch = NamespacedWatch::start(PID, &format!("{}; $0 -o json -p {port}; exit", bash_request(port)));
    let report = watch.end();
    report.assert_totals(&json!({ "pre_existing": 1, "open": 1 }));
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_fields(group, &json!({ "pid": null, "process": null, "pre_existing": 1 }));
    drop(machine);
}

/// No other connection will count in it, so its slot in the kernel is free again.
#[test]
fn group_of_an_unknown_owner_ends_with_its_connections() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let folder = tempdir().expect("cannot create a directory");
    let recording = folder.path().join("recording");
    let mut client = program("bash", "bash");
    client.args(["-c", &format!("{}; echo asked; read; exit 0", bash_request(peer.port()))]);
    let mut client = Dialogue::start(&mut client);
    client.wait_for_line("asked");
    let arguments = format!("-o json -p {} --record {}", peer.port(), recording.display());
    let watch = NamespacedWatch::start(PID, &format!("$0 {arguments}; exit"));
    client.send_line("");
    peer.wait_for(1);
    sleep(TWO_SAMPLES);
    watch.end().assert_totals(&json!({ "pre_existing": 1, "closed": 1, "open": 0 }));
    let recorded = fs::read_to_string(&recording).expect("cannot read the recording");
    let samples: Vec<Value> = recorded.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ended = samples.iter().filter_map(|line| line["sample"]["groups"].as_array()).flatten();
    assert_eq!(ended.filter(|group| group["ended"] == true).count(), 1, "{recorded}");
    drop(machine);
}

#[test]
fn watch_without_an_output_says_on_stderr_that_it_is_in_another_namespace() {
    let _machine = Machine::shared();
    let ended = RunOutput::run(&mut unshare(PID, "$0 -o none -p 9 --duration 100ms; exit"));
    ended.assert_code(0);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.starts_with("notice: process ids are the machine's"), "{}", ended.stderr);
    let ended = RunOutput::run(&mut unshare(&[], "$0 -o none -p 9 --duration 100ms; exit"));
    assert_eq!((ended.stderr.as_str(), ended.status.code()), ("", Some(0)));
}

/// The kernel side finds the process by its id there. The process of that id on the machine is another one.
#[test]
fn pid_filter_means_a_process_of_the_same_namespace() {
    let _machine = Machine::shared();
    let peer = Peer::echo();
    let request = bash_request(peer.port());
    // Process 1 is the shell. It connects by itself and by a child.
    let script = format!(
        "exec 5< <(exec $0 -o json -p {} --pid 1); read -r start <&5; ({request}); {request}; kill -INT $!; \
         echo \"$start\"; cat <&5",
        peer.port()
    );
    let ended = RunOutput::run(&mut unshare(PID, &script));
    ended.assert_code(0);
    let report = Report::read(ended.stdout.lines().map(str::to_owned));
    report.assert_totals(&json!({ "opened": 1, "exchanges": 1 }));
}

#[test]
fn demo_runs_in_another_pid_namespace() {
    let _machine = Machine::shared();
    RunOutput::run(&mut unshare(PID, "$0 demo; exit")).assert_code(0);
}
