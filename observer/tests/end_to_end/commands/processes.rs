//! A command and its descendants are watched, whatever becomes of them, and nobody else. The server tells the truth.

use std::{process::Stdio, thread, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::tempdir;

use super::{report, run};
use crate::support::{
    eventually,
    go::{self, Server},
    machine::Machine,
    peer::{Peer, bash_request},
    programs::program,
    report::assert_fields,
    tool::{PROGRAM, Process, RunOutput},
};

const PYTHON: &str = "import sys, urllib.request as r; [r.urlopen(sys.argv[1]).read() for _ in range(3)]";

#[test]
fn shell_with_curl_python_and_go_one_of_them_a_daemon() {
    let machine = Machine::alone();
    let server = Server::start("-address 127.0.0.1:0 -body 65536");
    let url = format!("http://{}", server.address());
    let neighbours = thread::spawn({
        let url = url.clone();
        move || {
            for _ in 0..5 {
                let mut curl = program("curl", "curl");
                Process::start(curl.args(["-s", "-o", "/dev/null", &url])).wait(Duration::from_mins(1));
            }
        }
    });
    let go = go::client(&format!("-url {url} -read"));
    // The Python program forks twice, so it is a child of init when it connects.
    let script = format!(
        "curl -s -o /dev/null {url} & (setsid sh -c 'sleep 0.3; python3 -c \"{PYTHON}\" {url}' &) & {} -url {url} -read; wait",
        go.get_program().display(),
    );
    let report = report("--linger 1m", &["sh", "-c", &script]);
    neighbours.join().expect("the neighbours panicked");
    let truth = server.truth();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": truth.connections - 5, "exchanges": truth.requests - 5 }));
    report.assert_totals(&json!({ "opened": 1 + 3 + 1, "exchanges": 1 + 3 + 10, "closed": 5 }));
    let names: std::collections::BTreeSet<_> = report.groups().iter().map(|group| group["process"].as_str()).collect();
    assert_eq!(names, [Some("curl"), Some("python3"), Some(go::CLIENT)].into());
    drop(machine);
}

#[test]
fn threads_and_programs_that_replace_themselves() {
    let _machine = Machine::shared();
    let peer = Peer::echo();
    let threads = "import threading, http.client, sys\n\
                   def ask():\n    c = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]))\n    c.connect()\n    c.close()\n\
                   t = [threading.Thread(target=ask) for _ in range(8)]\n[x.start() for x in t]\n[x.join() for x in t]";
    let port = peer.port().to_string();
    let ended = run("", &["sh", "-c", "exec sh -c 'exec python3 -c \"$0\" $1' \"$0\" $1", threads, &port]);
    ended.assert_code(0);
    assert_eq!(ended.total("opened"), 8, "{:#}", ended.summary);
}

#[test]
fn two_hundred_children_at_once() {
    let _machine = Machine::alone();
    let peer = Peer::echo();
    let script = format!("for i in {{1..200}}; do ({}) & done; wait", bash_request(peer.port()));
    let ended = run("", &["bash", "-c", &script]);
    ended.assert_code(0);
    peer.wait_for(200);
    assert_fields(&ended.summary["totals"], &json!({ "opened": 200, "exchanges": 200, "unfollowed": 0 }));
    assert_fields(&ended.summary, &json!({ "complete": true, "exact": true }));
}

#[test]
fn two_thousand_short_processes() {
    let _machine = Machine::alone();
    let peer = Peer::echo();
    // In two generations, and no more than some hundred at a time.
    let script = format!(
        "for i in {{1..20}}; do (for j in {{1..100}}; do ({}) & done; wait) & (( i % 4 )) || wait; done; wait",
        bash_request(peer.port())
    );
    let ended = run("", &["bash", "-c", &script]);
    ended.assert_code(0);
    peer.wait_for(2_000);
    assert_fields(&ended.summary["totals"], &json!({ "opened": 2_000, "exchanges": 2_000 }));
    assert_fields(&ended.summary, &json!({ "complete": true }));
}

/// In a container, the kernel side knows the command by another id.
#[test]
fn command_in_a_pid_namespace_of_its_own() {
    let _machine = Machine::shared();
    let peer = Peer::echo();
    let folder = tempdir().expect("cannot create a directory");
    let file = folder.path().join("summary.json");
    let mut unshare = program("unshare", "util-linux");
    unshare.args(["--pid", "--fork", "--mount-proc", PROGRAM, "--summary"]).arg(&file).args(["--", "bash", "-c"]);
    RunOutput::run(unshare.arg(format!("({}) & wait", bash_request(peer.port())))).assert_code(0);
    let summary: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&file).expect("there is a summary")).expect("JSON");
    assert_fields(&summary["totals"], &json!({ "opened": 1, "exchanges": 1 }));
}

/// As of a container that is started without a daemon.
#[test]
fn descendants_in_namespaces_of_their_own() {
    let _machine = Machine::shared();
    let peer = Peer::echo();
    let request = format!("({0}); {0}", bash_request(peer.port()));
    let unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--uts", "--ipc", "--cgroup"];
    let ended = run("", &[&unshare[..], &["bash", "-c", &request]].concat());
    ended.assert_code(0);
    peer.wait_for(2);
    assert_fields(&ended.summary["totals"], &json!({ "opened": 2, "exchanges": 2 }));
}

#[test]
fn command_in_another_pid_namespace_than_the_tool_is_refused() {
    let mut unshare = program("unshare", "util-linux");
    let output = RunOutput::run(unshare.args(["--pid", PROGRAM, "--", "true"]));
    output.assert_code(1);
    assert!(output.stderr.contains("use unshare with --fork"), "{}", output.stderr);
}

#[test]
fn children_of_a_running_process() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let mut bash = program("bash", "bash");
    // The first child runs when the watch begins, the second one does not.
    let request = bash_request(peer.port());
    let script = format!("(read; {request}) <&4 & read <&5; ({request}); wait");
    bash.args(["-c", &format!("exec 4<&0 5<&0; {script}")]).stdin(Stdio::piped());
    let mut bash = Process::start(&mut bash);
    let watch = machine.watch(format!("-p {} --pid {} --children", peer.port(), bash.id()));
    // Neither is a child of the shell.
    let mut other = program("bash", "bash");
    Process::start(other.args(["-c", &request])).wait(Duration::from_mins(1));
    std::io::Write::write_all(bash.child.stdin.as_mut().expect("the stream is piped"), b"\n\n").expect("bash reads");
    bash.wait(Duration::from_mins(1));
    peer.wait_for(3);
    let report = watch.end();
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 2, "exchanges": 2 }));
    assert_eq!(report.start["filters"]["children"], true);
}

#[test]
fn process_alone_is_watched_without_its_children() {
    let machine = Machine::shared();
    let peer = Peer::echo();
    let request = bash_request(peer.port());
    let mut bash = program("bash", "bash");
    bash.args(["-c", &format!("read; ({request}); {request}")]).stdin(Stdio::piped());
    let mut bash = Process::start(&mut bash);
    let watch = machine.watch(format!("-p {} --pid {}", peer.port(), bash.id()));
    drop(bash.child.stdin.take());
    bash.wait(Duration::from_mins(1));
    peer.wait_for(2);
    watch.end().assert_totals(&json!({ "opened": 1, "exchanges": 1 }));
}

/// Like the daemon of a build tool.
#[test]
fn descendant_that_stays_is_named_and_left_alone() {
    let _machine = Machine::shared();
    let script = "setsid sleep 600 >/dev/null 2>&1 & echo $!";
    let ended = run("--linger 200ms", &["sh", "-c", script]);
    ended.assert_code(0);
    let pid: i32 = ended.output.stdout.trim().parse().expect("the shell prints the pid");
    assert!(ended.output.stderr.contains(&format!("sleep (pid {pid})")), "{}", ended.output.stderr);
    let pid = Pid::from_raw(pid).expect("a pid is positive");
    kill_process(pid, Signal::KILL).expect("it was left alone");
    eventually("it is gone", || rustix::process::test_kill_process(pid).is_err());
}
