//! How a command ends is the exit code, in the summary, and the end of the watch.

use std::{
    fs::{self, Permissions},
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    process::Stdio,
    thread::sleep,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::json;
use tempfile::tempdir;

use super::{run, with_command};
use crate::support::{
    eventually,
    machine::Machine,
    peer::{Peer, bash_request},
    programs::program,
    report::assert_fields,
    tool::{PROGRAM, Process, RunOutput},
};

#[test]
fn exit_code_is_that_of_the_command() {
    let _machine = Machine::shared();
    for (argv, code, command) in [
        (&["true"][..], 0, json!({ "argv": ["true"], "exit_code": 0, "signal": null })),
        (&["false"], 1, json!({ "argv": ["false"], "exit_code": 1, "signal": null })),
        (&["sh", "-c", "exit 42"], 42, json!({ "exit_code": 42, "signal": null })),
        (&["sh", "-c", "kill -9 $$"], 137, json!({ "exit_code": null, "signal": "SIGKILL" })),
        (&["no-such-program"], 127, json!({ "exit_code": 127, "signal": null })),
    ] {
        let ended = run("", argv);
        ended.assert_code(code);
        assert_fields(&ended.summary["command"], &command);
        assert_fields(&ended.summary["totals"], &json!({ "opened": 0 }));
        assert!(ended.summary["command"]["wall_us"].is_u64());
    }
}

#[test]
fn command_that_cannot_be_started_is_told_as_by_env() {
    let _machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let file = folder.path().join("plain");
    fs::write(&file, "text").expect("cannot write");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("cannot set the permissions");
    let file = file.to_str().expect("UTF-8");
    for program in ["no-such-program", "/no/such/program", file, "/"] {
        let env = RunOutput::run(std::process::Command::new("env").arg(program).env("LC_ALL", "C"));
        let ended = run("", &[program]);
        ended.assert_code(env.status.code().expect("env exits"));
        let message = env.stderr.trim().replace(['\u{2018}', '\u{2019}'], "'").replace("env: ", "tcp-reuse-watch: ");
        assert!(ended.output.stderr.lines().any(|line| line == message), "{message} is not in {}", ended.output.stderr);
    }
}

#[test]
fn failure_of_the_command_is_not_hidden_by_a_gate() {
    let _machine = Machine::shared();
    let peer = Peer::echo();
    let request = bash_request(peer.port());
    for (end, code) in [("exit 0", 3), ("exit 1", 1), ("exit 42", 42)] {
        let ended = run("--min-reuse 0.9", &["bash", "-c", &format!("{request}; {end}")]);
        ended.assert_code(code);
        assert!(ended.output.stderr.contains("--min-reuse"), "{}", ended.output.stderr);
        assert_eq!(ended.summary["gates"][0]["result"], "failed", "{:#}", ended.summary);
    }
}

#[test]
fn streams_are_those_of_the_command() {
    let _machine = Machine::shared();
    let mut command = with_command("-o lines", &["sh", "-c", "wc -w; echo told >&2"]);
    let output = RunOutput::run_on("one two three\n", Duration::from_mins(2), &mut command);
    output.assert_code(0);
    assert_eq!(output.stdout.trim(), "3");
    assert!(output.stderr.contains("told\n") && output.stderr.contains("no connections"), "{}", output.stderr);
}

#[test]
fn output_file_keeps_the_error_stream_clean() {
    let _machine = Machine::shared();
    let peer = Peer::echo();
    let folder = tempdir().expect("cannot create a directory");
    let file = folder.path().join("rows");
    let arguments = format!("-o json --output-file {}", file.display());
    let ended = run(&arguments, &["bash", "-c", &bash_request(peer.port())]);
    ended.assert_code(0);
    assert_eq!((ended.output.stdout.as_str(), ended.output.stderr.as_str()), ("", ""));
    let rows = fs::read_to_string(&file).expect("there is a file");
    let kinds: Vec<_> = rows
        .lines()
        .map(|row| serde_json::from_str::<serde_json::Value>(row).expect("JSON")["type"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(kinds.iter().flatten().collect::<Vec<_>>(), ["start", "open", "close", "summary"]);
}

#[test]
fn signal_to_end_reaches_the_command() {
    let _machine = Machine::shared();
    for (signal, name) in [(Signal::TERM, "TERM"), (Signal::HUP, "HUP"), (Signal::INT, "INT")] {
        let script = format!("trap 'echo trapped; exit 7' {name}; echo ready; while :; do sleep 0.01; done");
        let mut tool = start(&with_command("", &["sh", "-c", &script]));
        tool.signal(signal);
        assert_eq!(tool.wait(Duration::from_mins(2)).code(), Some(7), "{name}");
        let mut text = String::new();
        tool.child.stdout.take().expect("the stream is piped").read_to_string(&mut text).expect("UTF-8");
        assert_eq!(text, "trapped\n", "{name}");
    }
}

/// As Ctrl-C does that ends a command while the machine is busy.
#[test]
fn signal_that_arrives_with_the_end_of_the_command_is_no_second_one() {
    let _machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let [go, gone] = ["go", "gone"].map(|name| folder.path().join(name));
    let script =
        format!("echo ready; until [ -e {} ]; do sleep 0.01; done; : > {}; exit 7", go.display(), gone.display());
    let mut tool = start(&with_command("", &["sh", "-c", &script]));
    tool.signal(Signal::STOP);
    fs::write(&go, "").expect("cannot write");
    eventually("the command ends", || gone.exists());
    // Long enough for the end to be reported. If it is not, the signal reaches the command, and the code is the same.
    sleep(Duration::from_millis(200));
    tool.signal(Signal::INT);
    tool.signal(Signal::CONT);
    assert_eq!(tool.wait(Duration::from_mins(2)).code(), Some(7));
    let stderr = tool.stderr();
    assert!(stderr.contains("no connections"), "{stderr}");
}

#[test]
fn command_that_ignores_the_signal_is_left_running() {
    let _machine = Machine::shared();
    let argv = ["sh", "-c", "trap '' TERM; echo ready; exec 2>&1; sleep 600 & echo $!; wait $!"];
    let mut tool = start(&with_command("--linger 300ms", &argv));
    tool.signal(Signal::TERM);
    assert_eq!(tool.wait(Duration::from_mins(2)).code(), Some(1));
    let stderr = tool.stderr();
    assert!(stderr.contains("'sh' did not end when it was told to") && stderr.contains("sleep (pid "), "{stderr}");
    let mut text = String::new();
    let mut stdout = tool.child.stdout.take().expect("the stream is piped");
    let mut byte = [0];
    while stdout.read(&mut byte).is_ok_and(|n| n == 1) && byte != *b"\n" {
        text.push(char::from(byte[0]));
    }
    let sleep = rustix::process::Pid::from_raw(text.parse().expect("the pid of sleep")).expect("positive");
    rustix::process::kill_process(sleep, Signal::KILL).expect("it runs");
}

#[test]
fn duration_ends_the_command() {
    let _machine = Machine::shared();
    let ended = run("--duration 200ms", &["sleep", "600"]);
    ended.assert_code(143);
    assert_fields(&ended.summary["command"], &json!({ "exit_code": null, "signal": "SIGTERM" }));
}

/// Nobody reads the output any more, but the command does its work.
#[test]
fn command_goes_on_when_the_reader_of_the_output_is_gone() {
    let _machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let file = folder.path().join("done");
    let script = format!("exec 2>/dev/null; sleep 0.3; echo done >{}; exit 5", file.display());
    let mut command = with_command("-o lines", &["sh", "-c", &script]);
    command.stderr(Stdio::piped());
    let mut tool = Process::start(&mut command);
    drop(tool.child.stderr.take());
    assert_eq!(tool.wait(Duration::from_mins(2)).code(), Some(5));
    assert_eq!(fs::read_to_string(&file).expect("the command has ended"), "done\n");
}

/// As under some supervisors.
#[test]
fn exit_code_is_known_where_sigchld_is_ignored() {
    let _machine = Machine::shared();
    for (argv, code) in [("exit 5", 5), ("exec no-such-program", 127)] {
        let mut bash = program("bash", "bash");
        bash.args(["-c", r#"trap "" CHLD; exec "$0" "$@""#, PROGRAM, "-o", "none", "--", "sh", "-c", argv]);
        RunOutput::run(&mut bash).assert_code(code);
    }
}

#[test]
fn command_ends_by_itself_when_the_output_is_full() {
    let _machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let file = folder.path().join("done");
    for (end, code) in [("exit 5", 5), ("exit 0", 1)] {
        let script = format!("sleep 0.3; echo done >{}; {end}", file.display());
        let output = RunOutput::run(&mut with_command("-o lines --output-file /dev/full", &["sh", "-c", &script]));
        output.assert_code(code);
        assert!(output.stderr.contains("No space left on device"), "{}", output.stderr);
        fs::remove_file(&file).expect("the command has done its work");
    }
}

/// Nobody reads the notice about the daemon.
#[test]
fn summary_is_written_although_standard_error_is_closed() {
    let _machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let file = folder.path().join("summary");
    let script = "setsid sleep 600 >/dev/null 2>&1 & echo $!; exec 2>/dev/null; sleep 0.3; exit 5";
    let mut command = with_command(&format!("--linger 100ms --summary {}", file.display()), &["sh", "-c", script]);
    let mut tool = Process::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    drop(tool.child.stderr.take());
    assert_eq!(tool.wait(Duration::from_mins(2)).code(), Some(5));
    assert!(fs::read_to_string(&file).expect("there is a summary").contains("\"exit_code\":5"));
    let mut pid = String::new();
    tool.child.stdout.take().expect("the stream is piped").read_to_string(&mut pid).expect("UTF-8");
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().expect("a pid")).expect("positive");
    rustix::process::kill_process(pid, Signal::KILL).expect("the daemon was left alone");
}

/// Starts a command that prints a line when it is ready.
fn start(command: &std::process::Command) -> Process {
    let mut copy = std::process::Command::new(command.get_program());
    copy.args(command.get_args()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut tool = Process::start(&mut copy);
    let stdout = tool.child.stdout.as_mut().expect("the stream is piped");
    let mut line = [0; 6];
    stdout.read_exact(&mut line).expect("the command prints a line");
    assert_eq!(&line, b"ready\n");
    tool
}
