//! `--record` and `replay`: a replay shows what the watch showed, without privileges and at any speed. A damaged
//! recording is shown as far as it is intact. The watch itself is compared with the server's counts.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::Stdio,
    thread::sleep,
    time::Duration,
};

use rustix::{
    mount::{MountFlags, UnmountFlags, mount, unmount},
    process::Signal,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    eventually,
    go::{self, Server},
    machine::Machine,
    nobody::{as_nobody, world_executable_tool},
    peer::{Peer, ask, bash_request},
    programs::{output_of, program},
    report::{Report, assert_fields},
    tool::{self, Process, RunOutput},
};

/// Holds a recording, and replays it as an unprivileged user.
struct Replayer {
    folder: TempDir,
    tool: String,
}

impl Replayer {
    fn new() -> Self {
        let (folder, tool) = world_executable_tool();
        Self { folder, tool }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("recording")
    }

    fn replay(&self, options: &str) -> RunOutput {
        RunOutput::run(&mut as_nobody(&self.tool, &format!("replay {} {options}", self.file().display())))
    }

    /// Replays this text in place of the recording.
    fn replay_text(&self, text: impl AsRef<[u8]>) -> RunOutput {
        fs::write(self.file(), text).expect("cannot write the file");
        self.replay("--speed max -o json")
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(self.file()).expect("cannot read the recording").lines().map(str::to_owned).collect()
    }
}

fn report_of(ended: &RunOutput) -> Report {
    ended.assert_code(0);
    assert_eq!(ended.stderr, "");
    Report::read(ended.stdout.lines().map(str::to_owned))
}

#[track_caller]
fn assert_same(watched: &Report, replayed: &Report) {
    assert_eq!(replayed.start, watched.start);
    assert_eq!(replayed.rows, watched.rows);
    assert_eq!(replayed.summary, watched.summary);
}

/// Watches and records ten requests of the Go client.
fn record_go_client(machine: &Machine, replayer: &Replayer, client: &str) -> Report {
    let server = Server::start("-address 127.0.0.1:0 -body 1048576");
    let filters = format!("-p {} --dest 127.0.0.1", server.port);
    let watch = machine.watch(format!("{filters} --exchanges --record {}", replayer.file().display()));
    output_of(&mut go::client(&format!("-url http://{} {client}", server.address())));
    let truth = server.truth();
    let report = watch.end();
    let reused = truth.requests - truth.connections;
    report.assert_complete();
    report.assert_totals(&json!({ "opened": truth.connections, "new": truth.connections, "reused": reused }));
    report
}

#[test]
fn replay_equals_the_watch() {
    let machine = Machine::shared();
    let replayer = Replayer::new();
    for client in ["", "-read"] {
        let watched = record_go_client(&machine, &replayer, client);
        assert_same(&watched, &report_of(&replayer.replay("--speed max -o json")));

        let lines = replayer.replay("--speed max");
        lines.assert_code(0);
        let connections = watched.total("opened");
        let opened = lines.stdout.lines().filter(|line| line.split(' ').nth(1) == Some("open")).count() as u64;
        assert_eq!(opened, connections, "{}", lines.stdout);
        let reused = format!(", {} reused", 10 - connections);
        let last = lines.stdout.lines().last().expect("the output has lines");
        assert!(last.contains(&reused) && last.contains("avoidable") == (connections > 1), "{}", lines.stdout);
    }
}

#[test]
fn every_kind_of_connection_is_replayed() {
    let machine = Machine::shared();
    let replayer = Replayer::new();
    let peer = Peer::echo();
    let mut before = peer.connect();
    ask(&mut before);
    let watch = machine.watch(format!("-p {} --record {}", peer.port(), replayer.file().display()));
    ask(&mut before);
    drop(peer.connect());
    for _ in 0..3 {
        // RunOutput processes are merged into one group, over more than one sample.
        output_of(program("bash", "bash").args(["-c", &bash_request(peer.port())]));
        sleep(Duration::from_millis(700));
    }
    let mut open = peer.connect();
    ask(&mut open);
    let watched = watch.end();
    watched.assert_totals(&json!({ "pre_existing": 1, "opened": 5, "unused": 1, "new": 4, "reused": 1, "open": 2 }));
    assert_same(&watched, &report_of(&replayer.replay("--speed max -o json")));
}

#[test]
fn flood_is_recorded_completely() {
    const CONNECTIONS: u64 = 2_000;
    let machine = Machine::alone();
    let replayer = Replayer::new();
    let peer = Peer::echo();
    let watch = machine.watch(format!("-p {} --exchanges --record {}", peer.port(), replayer.file().display()));
    for _ in 0..CONNECTIONS {
        let mut stream = peer.connect();
        (0..5).for_each(|_| ask(&mut stream));
    }
    peer.wait_for(CONNECTIONS);
    let watched = watch.end();
    watched.assert_complete();
    watched.assert_totals(&json!({ "opened": CONNECTIONS, "closed": CONNECTIONS, "exchanges": 5 * CONNECTIONS }));
    assert_eq!(watched.of_type("exchange").len() as u64, 5 * CONNECTIONS);
    assert_same(&watched, &report_of(&replayer.replay("--speed max -o json")));
}

#[test]
fn replay_writes_the_summary_file_without_other_output() {
    let machine = Machine::shared();
    let replayer = Replayer::new();
    let watched = record_go_client(&machine, &replayer, "");
    let file = replayer.folder.path().join("summary");
    let arguments = format!("replay {} -o none --speed max --summary {}", replayer.file().display(), file.display());
    let ended = RunOutput::run(&mut tool::command(&arguments));
    ended.assert_code(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
    let summary: Value =
        serde_json::from_str(&fs::read_to_string(&file).expect("cannot read the file")).expect("the file is JSON");
    assert_eq!(summary, watched.summary);
}

#[test]
fn connections_are_recorded_without_other_output() {
    let _machine = Machine::shared();
    let replayer = Replayer::new();
    let peer = Peer::echo();
    let arguments = format!("-p {} -o none --exchanges --record {}", peer.port(), replayer.file().display());
    let mut watch = Process::start(&mut tool::command(&arguments));
    // The header is written once the watch is attached.
    eventually("the watch is attached", || fs::read(replayer.file()).is_ok_and(|bytes| !bytes.is_empty()));
    let mut stream = peer.connect();
    (0..3).for_each(|_| ask(&mut stream));
    drop(stream);
    peer.wait_for(1);
    watch.signal(Signal::INT);
    assert_eq!(watch.wait(Duration::from_mins(2)).code(), Some(0));
    let report = report_of(&replayer.replay("--speed max -o json"));
    report.assert_complete();
    report.assert_totals(&json!({ "opened": 1, "closed": 1, "exchanges": 3, "new": 1, "reused": 2 }));
    assert_eq!(report.of_type("exchange").len(), 3);
}

/// Any number in the recording fits into an `i64`, but a kernel address has its highest bit set.
#[test]
fn recording_contains_no_kernel_address() {
    let machine = Machine::shared();
    let replayer = Replayer::new();
    record_go_client(&machine, &replayer, "");
    let lines = replayer.lines();
    assert!(lines.len() > 30, "{lines:#?}");
    for line in lines {
        for number in line.split(|character: char| !character.is_ascii_hexdigit()).filter(|word| word.len() >= 15) {
            assert!(number.parse::<i64>().is_ok(), "{number} in {line}");
        }
    }
}

/// A recording of a connection of an hour.
const AN_HOUR: &str = r#"{"recording":1,"hooks":["sockops"],"started_unix_ns":1000000000}
{"event":{"unix_ns":1500000000,"kind":"open","id":1,"connection":{"remote":"192.0.2.1:80"}}}
{"sample":{"unix_ns":2000000000,"groups":[{"key":{"tgid":1,"start_ticks":1,"addr":"::ffff:192.0.2.1","port":80},"counters":{"comm":"curl","opened":1,"why":[1],"tracked":1,"live":1}}]}}
{"event":{"unix_ns":2100000000,"kind":"open","id":2,"connection":{"remote":"192.0.2.1:80"}}}
{"event":{"unix_ns":3602000000000,"kind":"close","id":1,"connection":{"remote":"192.0.2.1:80"}}}
{"sample":{"unix_ns":3603000000000,"groups":[{"key":{"tgid":1,"start_ticks":1,"addr":"::ffff:192.0.2.1","port":80},"counters":{"comm":"curl","opened":2,"closed":1,"unused":1,"why":[2],"tracked":1,"live":1}}]}}
{"end":{"unix_ns":3604000000000}}
"#;

/// At one speed the replay stops in the middle of the hour, and at the other it ends.
#[test]
fn replay_follows_the_speed_option_and_a_signal_ends_it_with_a_partial_summary() {
    let replayer = Replayer::new();
    fs::write(replayer.file(), AN_HOUR).expect("cannot write the recording");
    let arguments = format!("replay {} -o json", replayer.file().display());
    let mut replay = Process::start(as_nobody(&replayer.tool, &arguments).stdout(Stdio::piped()));
    let mut stdout = BufReader::with_capacity(1, replay.child.stdout.take().expect("stdout is piped"));
    let mut text = String::new();
    for _ in 0..3 {
        stdout.read_line(&mut text).expect("cannot read start and two opens");
    }
    // Between the two opens, the replay has applied the sample that counts the first connection.
    replay.signal(Signal::INT);
    stdout.read_to_string(&mut text).expect("the output is UTF-8");
    assert_eq!(replay.wait(Duration::from_mins(2)).code(), Some(0));
    let totals = |text: &str| -> Value {
        let summary: Value = serde_json::from_str(text.lines().last().expect("a summary")).expect("JSON");
        summary["totals"].clone()
    };
    assert_fields(&totals(&text), &json!({ "opened": 1, "closed": 0 }));

    let ended = replayer.replay("-o json --speed 3600");
    ended.assert_code(0);
    assert_eq!(ended.stdout.lines().count(), 5, "{}", ended.stdout);
    assert_fields(&totals(&ended.stdout), &json!({ "opened": 2, "closed": 1 }));
}

#[test]
fn pipe_to_head_ends_the_replay_quietly() {
    let machine = Machine::shared();
    let replayer = Replayer::new();
    record_go_client(&machine, &replayer, "");
    for speed in ["1", "0.001", "max"] {
        let mut bash = program("bash", "bash");
        let script = format!(r#""$0" replay "$1" --speed {speed} | head -1"#);
        bash.args(["-o", "pipefail", "-c", &script, tool::PROGRAM]).arg(replayer.file());
        let ended = RunOutput::run(&mut bash);
        ended.assert_code(0);
        assert_eq!((ended.stdout.lines().count(), ended.stderr.as_str()), (1, ""), "--speed {speed}");
    }
}

/// Reads standard output slowly. Nothing is lost, because a replay waits for it.
#[test]
fn replay_waits_for_blocked_standard_output() {
    const CONNECTIONS: usize = 30_000;
    let machine = Machine::shared();
    let replayer = Replayer::new();
    record_go_client(&machine, &replayer, "-read");
    let mut lines = replayer.lines();
    let line_of = |kind: &str| lines.iter().find(|line| line.contains(&format!("\"kind\":\"{kind}\""))).cloned();
    let both = ["open", "close"].map(|kind| line_of(kind).expect("the recording has an open and a close"));
    let many = (1_000..)
        .take(CONNECTIONS)
        .flat_map(|id| both.clone().map(|line| line.replace("\"id\":1,", &format!("\"id\":{id},"))));
    lines.splice(2..2, many);
    fs::write(replayer.file(), lines.join("\n")).expect("cannot write the file");

    let arguments = format!("replay {} -o json --speed max", replayer.file().display());
    let mut replay = Process::start(as_nobody(&replayer.tool, &arguments).stdout(Stdio::piped()));
    sleep(Duration::from_secs(1));
    assert!(replay.has_ended().is_none(), "the replay should wait for standard output");
    let mut text = String::new();
    replay.child.stdout.take().expect("stdout is piped").read_to_string(&mut text).expect("the output is UTF-8");
    assert_eq!(replay.wait(Duration::from_mins(2)).code(), Some(0));
    assert!(text.len() > 16 << 20, "expected more than the output buffers: {} bytes", text.len());
    let opened = text.lines().filter(|line| line.contains("\"type\":\"open\"")).count();
    assert_eq!(opened, CONNECTIONS + 1);
}

#[test]
fn truncated_recording_is_shown_as_far_as_it_is_intact() {
    let machine = Machine::shared();
    let replayer = Replayer::new();
    record_go_client(&machine, &replayer, "");
    let lines = replayer.lines();
    let closes: Vec<usize> = (0..lines.len()).filter(|n| lines[*n].contains("\"kind\":\"close\"")).collect();
    assert_eq!(closes.len(), 10, "connections of the Go client");
    // The fifth close is intact. The rest is missing, partial or garbage.
    let whole = lines[..=closes[4]].join("\n");
    let line = closes[4] + 1;
    for (text, expected) in [
        (format!("{whole}\n"), format!("line {line}: cut off: ")),
        (format!("{whole}\n{}", &lines[line][..20]), format!("line {}: cut off in the middle", line + 1)),
        (format!("{whole}\n\0\0\0"), format!("line {}: not what a recording holds", line + 1)),
        (format!("{whole}\n{}", lines.join("\n")), format!("line {}: not what a recording holds", line + 1)),
    ] {
        let ended = replayer.replay_text(text);
        ended.assert_code(1);
        let expected = format!("error: {} {expected}", replayer.file().display());
        assert!(ended.stderr.starts_with(&expected) && ended.stderr.lines().count() == 1, "{}", ended.stderr);
        assert_eq!(shown(&ended, "close").len(), 5);
        assert_eq!(shown(&ended, "summary").len(), 1);
    }
}

/// The output rows of this type. In a truncated recording, rows can be ahead of the counters, which are sampled once a
/// second.
fn shown(ended: &RunOutput, kind: &str) -> Vec<Value> {
    let values = ended.stdout.lines().map(|line| serde_json::from_str(line).expect("each line is an object"));
    values.filter(|value: &Value| value["type"] == kind).collect()
}

/// A killed watch has written everything except the last second.
#[test]
fn killed_watch_leaves_a_usable_recording() {
    let machine = Machine::shared();
    let replayer = Replayer::new();
    let peer = Peer::echo();
    let mut watch = machine.watch(format!("-p {} --record {}", peer.port(), replayer.file().display()));
    ask(&mut peer.connect());
    eventually("a sample counts it", || replayer.lines().iter().any(|line| line.contains("\"closed\":1")));
    watch.tool.signal(Signal::KILL);
    watch.tool.wait(Duration::from_mins(2));
    let ended = replayer.replay("--speed max -o json");
    ended.assert_code(1);
    assert!(ended.stderr.contains(&format!("line {}: cut off", replayer.lines().len())), "{}", ended.stderr);
    let summary = shown(&ended, "summary").pop().expect("the output has a summary");
    assert_fields(&summary["totals"], &json!({ "opened": 1, "closed": 1, "exchanges": 1 }));
}

#[test]
fn files_that_are_not_recordings_are_refused() {
    let replayer = Replayer::new();
    let elf = fs::read(tool::PROGRAM).expect("cannot read the program");
    for (text, words) in [
        (&b""[..], ["line 1", "header", "empty"]),
        (b"\n", ["line 1", "header", "no recording"]),
        (b"{\"type\":\"start\",\"schema\":1}\n", ["line 1", "header", "no recording"]),
        (b"{\"recording\":99,\"version\":\"9.0\"}\n", ["line 1", "version 99", "tcp-reuse-watch 9.0"]),
        (&elf[..], ["line 1", "header", "no recording"]),
    ] {
        let ended = replayer.replay_text(text);
        ended.assert_code(1);
        assert_eq!(ended.stdout, "");
        for word in words {
            assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
        }
        assert!(ended.stderr.contains(&replayer.file().display().to_string()), "{}", ended.stderr);
    }
    for path in ["/no/such/file", "/"] {
        let ended = RunOutput::run(&mut as_nobody(&replayer.tool, &format!("replay {path}")));
        ended.assert_code(1);
        assert!(ended.stdout.is_empty() && ended.stderr.contains(path), "{}", ended.stderr);
    }
}

/// A tmpfs with 64 KiB of space.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn new(folder: &'a Path) -> Self {
        mount("tmpfs", folder, "tmpfs", MountFlags::empty(), Some(c"size=64k")).expect("cannot mount a tmpfs");
        Self(folder)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        if let Err(error) = unmount(self.0, UnmountFlags::DETACH) {
            eprintln!("{} stays mounted: {error}", self.0.display());
        }
    }
}

#[test]
fn full_disk_ends_the_recording_but_not_the_watch() {
    const CONNECTIONS: u64 = 300;
    let machine = Machine::shared();
    let replayer = Replayer::new();
    let folder = tempfile::tempdir().expect("cannot create a directory");
    let _disk = SmallDisk::new(folder.path());
    let peer = Peer::echo();
    for (n, path) in ["/dev/full".into(), folder.path().join("recording")].into_iter().enumerate() {
        let watch = machine.watch(format!("-p {} --record {}", peer.port(), path.display()));
        (0..CONNECTIONS).for_each(|_| ask(&mut peer.connect()));
        peer.wait_for_done((CONNECTIONS + 1) * n as u64 + CONNECTIONS);
        // The next sample notices the full disk at the latest.
        sleep(Duration::from_millis(1_500));
        ask(&mut peer.connect());
        let report = watch.end();
        peer.wait_for_done((CONNECTIONS + 1) * (n as u64 + 1));
        report.assert_complete();
        report.assert_totals(&json!({ "opened": CONNECTIONS + 1, "exchanges": CONNECTIONS + 1 }));
        let notice = report.only("notice");
        assert_eq!(notice["kind"], "record");
        let message = notice["message"].as_str().expect("the message is a string");
        assert!(message.contains("No space left") && message.contains(&path.display().to_string()), "{message}");
    }
    // The part that was written can be replayed.
    let written = fs::read(folder.path().join("recording")).expect("cannot read the recording");
    assert!(written.len() > 32 << 10, "{} bytes", written.len());
    let ended = replayer.replay_text(written);
    ended.assert_code(1);
    assert!(ended.stderr.contains("cut off"), "{}", ended.stderr);
    assert!(ended.stdout.lines().count() > 50, "{}", ended.stdout);
}

#[test]
fn full_disk_is_reported_on_stderr_without_other_output() {
    let _machine = Machine::shared();
    let ended = RunOutput::run(&mut tool::command("-p 1 -o none --duration 1 --record /dev/full"));
    ended.assert_code(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.lines().count()), ("", 1), "{}", ended.stderr);
    assert!(ended.stderr.contains("/dev/full") && ended.stderr.contains("No space left"), "{}", ended.stderr);
}
