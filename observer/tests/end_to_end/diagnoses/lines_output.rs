//! Diagnoses as the lines output shows them.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    thread::sleep,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::tempdir;

use crate::support::{
    go::{self, Server},
    http::{read_head, send},
    machine::Machine,
    peer::Peer,
    programs::output_of,
    tool::RunningWatch,
};

/// Ends the watch, and returns its whole output.
fn rest(watch: RunningWatch) -> String {
    let RunningWatch { mut tool, mut stdout, mut first } = watch;
    tool.signal(Signal::INT);
    stdout.read_to_string(&mut first).expect("the output is UTF-8");
    assert_eq!(tool.wait(Duration::from_mins(2)).code(), Some(0));
    first
}

/// The diagnoses in the text: each title, and below it, unwrapped, the evidence, and the advice after an arrow.
fn diagnoses<'a>(text: &'a str, remote: &str) -> Vec<(&'a str, String, String)> {
    let title = format!(" → {remote}: ");
    let lines: Vec<&str> = text.lines().collect();
    let shown = (0..lines.len()).filter_map(|n| {
        let name = lines[n].split_once(&title)?.1;
        let follows: Vec<&str> = lines[n + 1..].iter().take_while(|line| line.starts_with("  ")).copied().collect();
        let words = follows.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
        let (evidence, advice) = words.split_once(" → ")?;
        Some((name, evidence.to_owned(), advice.to_owned()))
    });
    shown.collect()
}

#[test]
fn lines_show_evidence_and_advice() {
    let _machine = Machine::shared();
    let server = Server::start("-body 2097152");
    let address = server.address();
    let watch = RunningWatch::start(&format!("-p {} -o lines", address.port()));
    output_of(&mut go::client(&format!("-url http://{address} -stay 500ms")));
    assert_eq!(server.truth().connections, 10, "counts of the server");
    let text = rest(watch);
    let [("response-not-read", evidence, advice)] = &diagnoses(&text, &address.to_string())[..] else {
        panic!("expected one diagnosis: {text}")
    };
    assert!(evidence.starts_with("10 of 10 closed by this process "), "{evidence}");
    assert!(advice.starts_with("Read the response to its end before closing it"), "{advice}");
}

/// Answers each request, and then does what its path asks for.
fn act_on_path(mut stream: TcpStream) {
    while let Some(head) = read_head(&mut stream) {
        stream.write_all(b"hello").expect("cannot send the answer");
        match head.split(' ').nth(1) {
            Some("/close") => return,
            Some("/wait") => return sleep(IDLE),
            _ => (),
        }
    }
}

/// Longer than the limit for "after the response".
const IDLE: Duration = Duration::from_millis(200);

/// The group has four problems: the lines show the three surest, and JSON all four.
#[test]
fn lines_show_at_most_three_diagnoses_of_a_group() {
    let _machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let file = folder.path().join("summary");
    let peer = Peer::new(act_on_path);
    let watch = RunningWatch::start(&format!("-p {} -o lines --summary {}", peer.port(), file.display()));
    // Sends one request, and reads this many bytes of the answer.
    let used = |path: &str, read: usize| {
        let mut stream = peer.connect();
        send(&mut stream, format!("GET {path} HTTP/1.1\r\n\r\n"));
        stream.peek(&mut [0; 5]).expect("cannot read the answer");
        stream.read_exact(&mut [0; 5][..read]).expect("cannot read the answer");
        stream
    };
    let until_the_end =
        |mut stream: TcpStream| assert_eq!(stream.read(&mut [0]).expect("cannot read to the peer's FIN"), 0);
    for _ in 0..6 {
        drop(used("/", 1));
        until_the_end(used("/close", 5));
    }
    for _ in 0..5 {
        let idle = used("/", 5);
        sleep(IDLE);
        drop(idle);
        until_the_end(used("/wait", 5));
    }
    peer.wait_for(22);
    let text = rest(watch);
    let shown: Vec<&str> = diagnoses(&text, &peer.address.to_string()).into_iter().map(|shown| shown.0).collect();
    let summary: Value = serde_json::from_str(&fs::read_to_string(&file).expect("cannot read the summary"))
        .expect("the summary is JSON");
    let known: Vec<&Value> =
        summary["groups"][0]["diagnoses"].as_array().expect("a list").iter().map(|of| &of["cause"]).collect();
    assert_eq!(
        known,
        ["response-not-read", "server-closes-each", "server-idle-timeout", "client-idle-timeout"],
        "{text}"
    );
    assert_eq!(shown, ["response-not-read", "server-closes-each", "server-idle-timeout (likely)"], "{text}");
}
