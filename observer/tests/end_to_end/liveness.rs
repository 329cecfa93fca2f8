//! A process lives until its last thread has ended, whatever /proc shows. While it lives, its group keeps its pid.

use std::{
    fs,
    io::{Read as _, Write as _},
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::json;
use tempfile::tempdir;

use crate::support::{
    dialogue::Dialogue,
    eventually,
    machine::Machine,
    nobody::{as_nobody, limit_open_files},
    peer::{Peer, bash_request, read_request, send_answer},
    programs::program,
    python::python,
    report::{Report, assert_fields},
    sockets::reset_on_close,
    tool::{PROGRAM, Process, RunningWatch},
};

/// Samples are taken once a second.
const TWO_SAMPLES: Duration = Duration::from_millis(2_200);

#[test]
fn process_outlives_its_main_thread() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {}", peer.port()));
    let mut process = Dialogue::start(python("main_thread_ends.py").arg(peer.port().to_string()));
    let pid = process.process.id();
    let stat = || fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    eventually("the main thread has ended", || stat().contains(") Z "));
    for _ in 0..2 {
        process.send_line("");
        process.wait_for_line("asked");
        sleep(TWO_SAMPLES);
    }
    peer.wait_for(2);
    let report = watch.end();
    report.assert_totals(&json!({ "opened": 2, "closed": 2, "exchanges": 2 }));
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_fields(group, &json!({ "pid": pid, "processes": 1, "opened": 2 }));
}

/// The socket is in CLOSE from the reset on, and its entry stays until the process lets go of it.
#[test]
fn connection_held_past_a_reset_ends_with_its_process() {
    let machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let recording = folder.path().join("recording");
    let peer = Peer::new(|mut stream| {
        read_request(&mut stream);
        send_answer(&mut stream);
        reset_on_close(&stream);
    });
    let watch = machine.watch(format!("-p {} --record {}", peer.port(), recording.display()));
    let mut client = program("bash", "bash");
    client.args(["-c", &format!("{}; echo asked; read; exit 0", bash_request(peer.port()))]);
    let mut client = Dialogue::start(&mut client);
    client.wait_for_line("asked");
    peer.wait_for(1);
    sleep(TWO_SAMPLES);
    client.end();
    sleep(TWO_SAMPLES);
    let report = watch.end();
    report.assert_totals(&json!({ "opened": 1, "closed": 1, "exchanges": 1, "open": 0 }));
    let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
    assert_fields(group, &json!({ "closes": { "reset-by-peer": 1 } }));
    let recorded = fs::read_to_string(&recording).expect("cannot read the recording");
    let samples = recorded.lines().filter(|line| line.contains(r#""ended":true"#));
    assert_eq!(samples.count(), 1, "nothing is tracked any more: {recorded}");
}

/// The watch gives up the privileges that see through `hidepid`.
#[test]
fn process_that_proc_hides_is_alive() {
    for hidepid in [1, 2] {
        let machine = Machine::shared();
        let peer = Peer::echo();
        // Not readable for the group of root either.
        let mount = format!("mount -t proc -o hidepid={hidepid},gid=54321 proc /proc");
        let mut unshare = program("unshare", "util-linux");
        unshare.args(["--mount", "sh", "-ec", &format!(r#"{mount}; exec "$0" "$@""#), PROGRAM]);
        unshare.args(["-o", "json", "-p", &peer.port().to_string()]);
        let mut watch = RunningWatch::start_command(&mut unshare);
        let request = format!("{}; exec 3>&-", bash_request(peer.port()));
        let script = format!("{request}; read; {request}; read");
        let mut client = as_nobody("bash", "-c");
        let mut client = Process::start(client.arg(script).stdin(Stdio::piped()));
        peer.wait_for(1);
        sleep(TWO_SAMPLES);
        client.child.stdin.as_mut().expect("the stream is piped").write_all(b"\n").expect("the client reads");
        peer.wait_for(2);
        watch.tool.signal(Signal::INT);
        let mut text = watch.first;
        watch.stdout.read_to_string(&mut text).expect("the output is UTF-8");
        let report = Report::read(text.lines().map(str::to_owned));
        assert_eq!(watch.tool.wait(Duration::from_mins(2)).code(), Some(0));
        let [group] = report.groups() else { panic!("expected one group: {:#}", report.summary) };
        assert_fields(group, &json!({ "pid": client.id(), "processes": 1, "opened": 2, "closed": 2 }));
        drop(machine);
    }
}

const CROWD: u64 = 200;

/// Follows a crowd of processes, of which half end during the watch. `limit`: limits the open files of the watch.
fn follow_a_crowd(start: &mut Command, limit: impl FnOnce(u32)) {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let folder = tempdir().expect("cannot create a directory");
    let log = folder.path().join("log");
    start.args(["-o", "json", "-p", &peer.port().to_string(), "--log-file"]).arg(&log).stdin(Stdio::null());
    let mut watch = RunningWatch::start_command(start);
    let mut crowd = Dialogue::start(python("crowd.py").args([peer.port().to_string(), CROWD.to_string()]));
    crowd.wait_for_line("all ask");
    sleep(TWO_SAMPLES);
    limit(watch.tool.id());
    crowd.send_line("");
    crowd.wait_for_line("half have ended");
    peer.wait_for_done(CROWD / 2);
    sleep(TWO_SAMPLES);
    watch.tool.signal(Signal::INT);
    let mut text = watch.first;
    watch.stdout.read_to_string(&mut text).expect("the output is UTF-8");
    assert_eq!(watch.tool.wait(Duration::from_secs(30)).code(), Some(0));
    crowd.end();
    let report = Report::read(text.lines().map(str::to_owned));
    report.assert_complete();
    let half = CROWD / 2;
    report.assert_totals(&json!({ "opened": CROWD, "open": half, "exchanges": CROWD, "needed": CROWD }));
    let (alive, ended): (Vec<_>, Vec<_>) = report.groups().iter().partition(|group| group["pid"].is_u64());
    assert_eq!(alive.len() as u64, half, "groups of living processes");
    let [ended] = ended[..] else { panic!("expected one group of ended processes: {ended:#?}") };
    assert_fields(ended, &json!({ "processes": half, "closed": half, "exchanges": half }));
    let log = fs::read_to_string(log).expect("cannot read the log");
    let complaints: Vec<&str> =
        log.lines().filter(|line| line.contains("WARN ") || line.contains("cannot poll")).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    // The sockets are listed by files of their own. An earlier peer may have had the same port.
    assert!(report.total("time_wait") >= half, "{:#}", report.summary);
    drop(machine);
}

/// The programs and maps alone take more than half of them.
#[test]
fn processes_are_followed_with_few_open_files() {
    follow_a_crowd(program("prlimit", "util-linux").args(["--nofile=96", PROGRAM]), |_| {});
}

/// poll(2) refuses more descriptors than the limit.
#[test]
fn processes_are_followed_after_the_limit_of_open_files_was_lowered() {
    follow_a_crowd(&mut Command::new(PROGRAM), |pid| limit_open_files(pid, 96));
}
