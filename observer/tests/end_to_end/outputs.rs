//! Output formats and destinations: lines, JSON, none, and the summary file.

use std::{fs, io::Read as _, process::Stdio, time::Duration};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{
    contract, eventually,
    go::{self, Server},
    machine::Machine,
    peer::{Peer, ask},
    programs::output_of,
    report::assert_fields,
    tool::{self, Process, RunOutput, RunningWatch},
};

/// The lines output for ten requests on port 8080.
fn lines_of_go_client(client: &str) -> String {
    let server = Server::start("-address 127.0.0.1:8080 -body 1048576");
    let RunningWatch { mut tool, mut stdout, first: mut text } = RunningWatch::start("--port 8080 --output lines");
    output_of(&mut go::client(&format!("-url http://127.0.0.1:8080 {client}")));
    server.truth();
    tool.signal(Signal::INT);
    stdout.read_to_string(&mut text).expect("the output is UTF-8");
    assert_eq!(tool.wait(Duration::from_mins(2)).code(), Some(0));
    text
}

#[test]
fn lines_end_with_one_sentence() {
    let _machine = Machine::alone();
    for (client, [begin, end], connections) in [
        // The number of needed connections depends on when Go closes them.
        ("", ["10 exchanges to 127.0.0.1:8080: 10 on new connections, 0 reused; ", " avoidable)"], 10),
        ("-read", ["10 exchanges to 127.0.0.1:8080: 1 on a new connection, 9 reused", "9 reused"], 1),
    ] {
        let text = lines_of_go_client(client);
        let last = text.lines().last().expect("the output has lines");
        assert!(last.starts_with(begin) && last.ends_with(end), "{text}");
        let rows = |kind: &str| text.lines().filter(|line| line.split(' ').nth(1) == Some(kind)).count();
        assert_eq!((rows("open"), rows("close")), (connections, connections), "{text}");
        assert!(text.contains("PROCESS") && text.contains(go::CLIENT), "no table: {text}");
    }
}

#[test]
fn summary_file_is_written_with_every_output() {
    let machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let peer = Peer::echo();
    for (visits, output) in ["json", "lines", "none"].into_iter().enumerate() {
        let file = folder.path().join(output);
        let log = folder.path().join(format!("{output}.log"));
        let (port, summary) = (peer.port(), file.display());
        let mut command =
            tool::command(&format!("-p {port} -o {output} --summary {summary} --log-file {}", log.display()));
        let mut tool = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        // With `-o none`, no output tells when the watch is attached.
        eventually("the watch is attached", || {
            fs::read_to_string(&log).is_ok_and(|log| log.lines().any(|line| line.contains("attached ")))
        });
        ask(&mut peer.connect());
        peer.wait_for(visits as u64 + 1);
        tool.signal(Signal::INT);
        assert_eq!(tool.wait(Duration::from_mins(2)).code(), Some(0), "-o {output}");
        let summary = fs::read_to_string(&file).expect("cannot read the file");
        let object: Value = serde_json::from_str(&summary).expect("the summary is one object");
        contract::check_summary(&object);
        assert_fields(&object["totals"], &json!({ "opened": 1, "exchanges": 1, "new": 1 }));

        let mut stdout = String::new();
        tool.child.stdout.take().expect("stdout is piped").read_to_string(&mut stdout).expect("the output is UTF-8");
        assert_eq!(tool.stderr(), "", "-o {output}");
        match output {
            "none" => assert_eq!(stdout, ""),
            "json" => assert_eq!(
                stdout.lines().last(),
                summary.lines().last(),
                "standard output and file have the same summary"
            ),
            _ => assert!(!stdout.contains('{'), "{stdout}"),
        }
    }
    drop(machine);
}

#[test]
fn log_goes_to_stderr_or_a_file() {
    let _machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let file = folder.path().join("log");
    for (arguments, to_file) in [("-v".into(), false), (format!("--log-file {}", file.display()), true)] {
        let ended = RunOutput::run(&mut tool::command(&format!("-p 1 -o none --duration 100ms {arguments}")));
        ended.assert_code(0);
        assert_eq!(ended.stdout, "");
        assert_eq!(ended.stderr.is_empty(), to_file, "{}", ended.stderr);
        let log = if to_file { fs::read_to_string(&file).expect("cannot read the file") } else { ended.stderr };
        assert!(log.contains("attached sockops,tracepoint after "), "no time to attach: {log}");
    }
}
