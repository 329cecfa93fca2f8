//! Gates and reports, on the Go program that closes bodies unread and then reads them. Reports are read by other programs:
//! JUnit XML by junitparser, Markdown by GitHub's cmark.

use std::{
    ffi::OsStr,
    fs,
    io::Read as _,
    os::unix::{ffi::OsStrExt as _, fs::symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::support::{
    go::{self, Server},
    machine::Machine,
    peer::{Peer, ask, bash_request},
    programs::{output_of, program},
    python::python,
    report::assert_fields,
    tool::{self, PROGRAM, RunOutput, RunningWatch},
};

const GATES: &str = "--min-reuse 0.9 --max-avoidable 0 --fail-on any";

struct Reports {
    folder: TempDir,
}

impl Reports {
    fn new() -> Self {
        Self { folder: tempdir().expect("cannot create a directory") }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn options(&self) -> String {
        let [junit, markdown] = ["junit", "markdown"].map(|name| self.file(name));
        format!("--report junit={} --report markdown={}", junit.display(), markdown.display())
    }

    fn junit(&self) -> Value {
        let json = output_of(python("junit.py").arg(self.file("junit")));
        serde_json::from_str(&json).expect("the program prints JSON")
    }

    fn markdown(&self) -> String {
        rendered(&self.file("markdown"))
    }
}

/// The page that GitHub makes of Markdown.
fn rendered(markdown: &Path) -> String {
    let mut cmark = program("cmark-gfm", "cmark-gfm");
    output_of(cmark.args(["--unsafe", "-e", "table", "-e", "autolink", "-e", "strikethrough"]).arg(markdown))
}

/// The cells of each row of each table, headings included, as HTML.
fn tables(html: &str) -> Vec<Vec<Vec<&str>>> {
    let table = |table| elements(table, "tr").into_iter().map(cells).collect();
    elements(html, "table").into_iter().map(table).collect()
}

fn cells(row: &str) -> Vec<&str> {
    if row.contains("<th") { elements(row, "th") } else { elements(row, "td") }
}

/// The text without `[1234]`, which is there until a process is known to have ended.
fn without_pids(text: &str) -> String {
    let parts = text.split('[').enumerate().map(|(n, part)| match part.split_once(']') {
        Some((pid, rest)) if n > 0 && pid.bytes().all(|byte| byte.is_ascii_digit()) => rest.to_owned(),
        _ if n > 0 => format!("[{part}"),
        _ => part.to_owned(),
    });
    parts.collect()
}

/// The contents of these elements, which are not nested.
fn elements<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let (begin, end) = (format!("<{name}"), format!("</{name}>"));
    let after = html.split(&begin).skip(1).map(|after| after.split_once('>').expect("a tag has an end").1);
    after.map(|after| after.split_once(&end).expect("the element has an end").0).collect()
}

struct Judged {
    code: Option<i32>,
    summary: Value,
    stderr: String,
}

/// Ten requests of the Go client under a watch with the gates.
fn judge(client: &str, options: &str) -> Judged {
    let server = Server::start("-address 127.0.0.1:8080 -body 1048576");
    let watch = RunningWatch::start(&format!("--port 8080 -o json {options}"));
    let RunningWatch { mut tool, mut stdout, .. } = watch;
    output_of(&mut go::client(&format!("-url http://127.0.0.1:8080 {client}")));
    server.truth();
    tool.signal(Signal::INT);
    let mut text = String::new();
    stdout.read_to_string(&mut text).expect("the output is UTF-8");
    let status = tool.wait(Duration::from_mins(2));
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("each line is an object")).collect();
    let summary = lines.last().expect("a watch ends with a summary").clone();
    assert_eq!(summary["type"], "summary");
    Judged { code: status.code(), summary, stderr: tool.stderr() }
}

#[test]
fn bodies_closed_unread_fail_the_gates() {
    let _machine = Machine::alone();
    let reports = Reports::new();
    let Judged { code, summary, stderr } = judge("", &format!("{GATES} {}", reports.options()));
    assert_eq!(code, Some(3), "{stderr}");
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{stderr}");
    for (line, measured) in lines.iter().zip([
        "tcp-reuse-watch: --min-reuse 0.9 failed: 0 of 10 requests reused a TCP connection (0.0 %), at least 90 % must. ",
        "tcp-reuse-watch: --max-avoidable 0 failed: ",
        "tcp-reuse-watch: --fail-on any failed: 1 pair of a process and a destination has response-not-read, ",
    ]) {
        assert!(line.starts_with(measured), "{line}");
        for words in ["story-client[", "to 127.0.0.1:8080", "response-not-read", "io.Copy(io.Discard, res.Body)"] {
            assert!(line.contains(words), "{words}: {line}");
        }
    }

    let gates = summary["gates"].as_array().expect("there are gates");
    let group = json!({ "process": go::CLIENT, "remote": "127.0.0.1", "port": 8080, "cause": "response-not-read" });
    for (gate, expected) in gates.iter().zip([
        json!({ "name": "min-reuse", "measured": 0.0, "allowed": 0.9, "result": "failed" }),
        json!({ "name": "max-avoidable", "measured": summary["totals"]["avoidable"], "allowed": 0, "result": "failed" }),
        json!({ "name": "fail-on", "measured": 1, "allowed": 0, "result": "failed" }),
    ]) {
        assert_fields(gate, &expected);
        assert_fields(&gate["group"], &group);
    }
    assert_eq!((gates.len(), &summary["command"]), (3, &json!(null)));

    let junit = reports.junit();
    assert_eq!(junit["counts"], json!([3, 3, 0, 0]), "{junit:#}");
    for (case, line) in junit["cases"].as_array().expect("there are test cases").iter().zip(&lines) {
        let [result] = case["results"].as_array().expect("there are results").as_slice() else { panic!("{case:#}") };
        assert_eq!(result["kind"], "Failure");
        assert_eq!(result["text"].as_str(), line.strip_prefix("tcp-reuse-watch: "));
        let message = result["message"].as_str().expect("a failure has a message");
        assert!(line.contains(message) && message.starts_with(case["name"].as_str().unwrap()), "{case:#}");
    }
    let output = junit["output"].as_str().expect("the report has an output");
    assert!(output.starts_with("10 exchanges to 127.0.0.1:8080: 10 on new connections, 0 reused; "), "{output}");

    let html = reports.markdown();
    assert!(html.starts_with("<h2>tcp-reuse-watch: 3 of 3 gates failed</h2>\n"), "{html}");
    let [gates, groups] = tables(&html).try_into().unwrap_or_else(|_| panic!("two tables: {html}"));
    assert_eq!(gates.iter().map(Vec::len).collect::<Vec<_>>(), [4; 4], "{html}");
    assert_eq!(gates[1], ["<code>--min-reuse 0.9</code>", "0.0 %", "≥ 90 %", "<strong>failed</strong>"]);
    let [_, group] = groups.try_into().unwrap_or_else(|_| panic!("one group: {html}"));
    assert!(group[0].starts_with("<code>story-client["), "{html}");
    assert_eq!(group[1..5], ["<code>127.0.0.1:8080</code>", "10", "10", "0"]);
    assert_eq!(group[6], "<code>response-not-read</code>");
    assert!(group[7].ends_with("io.Copy(io.Discard, res.Body)."), "{html}");
}

#[test]
fn bodies_read_to_the_end_pass_the_gates() {
    let _machine = Machine::alone();
    let reports = Reports::new();
    let Judged { code, summary, stderr } = judge("-read", &format!("{GATES} {}", reports.options()));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let gates = summary["gates"].as_array().expect("there are gates");
    assert_eq!(gates.len(), 3);
    for gate in gates {
        assert_fields(gate, &json!({ "result": "passed", "group": null, "message": null }));
    }
    let junit = reports.junit();
    assert_eq!(junit["counts"], json!([3, 0, 0, 0]), "{junit:#}");
    let html = reports.markdown();
    assert!(html.starts_with("<h2>tcp-reuse-watch: 3 gates passed</h2>\n"), "{html}");
    assert_eq!(tables(&html).len(), 1, "no group did badly: {html}");
}

#[test]
fn without_gates_there_is_a_report_all_the_same() {
    let _machine = Machine::alone();
    let reports = Reports::new();
    let Judged { code, summary, stderr } = judge("", &reports.options());
    assert_eq!((code, stderr.as_str(), &summary["gates"]), (Some(0), "", &json!(null)));
    let junit = reports.junit();
    assert_eq!(junit["counts"], json!([1, 0, 0, 1]), "{junit:#}");
    let html = reports.markdown();
    assert!(html.starts_with("<h2>tcp-reuse-watch: 0.0 % of requests reused a connection</h2>\n"), "{html}");
    assert_eq!(tables(&html).len(), 1, "{html}");
}

/// What a watch of nothing says, and what it writes where.
#[test]
fn report_files_are_opened_first_and_written_last() {
    let _machine = Machine::shared();
    let reports = Reports::new();
    let run = |options: &str| {
        RunOutput::run(&mut tool::command(&format!("-p 1 -o none --duration 100ms --min-reuse 1 {options}")))
    };
    for name in ["junit", "markdown"] {
        fs::write(reports.file(name), "# What was there before").expect("cannot write the file");
    }
    let ended = run(&reports.options());
    ended.assert_code(0);
    assert_eq!(ended.stderr, "tcp-reuse-watch: --min-reuse 1 passed, but no request was seen (port 1)\n");
    assert_eq!(reports.junit()["counts"], json!([1, 0, 0, 0]));
    let html = reports.markdown();
    assert!(html.starts_with("<h1>What was there before</h1>\n<h2>tcp-reuse-watch: 1 gate passed</h2>\n"), "{html}");

    let nowhere = run(&format!("--report junit={}", reports.file("none/report").display()));
    nowhere.assert_code(1);
    assert!(nowhere.stderr.starts_with("error: cannot write the report to "), "{}", nowhere.stderr);
    // A report without space takes nothing from the other, and is a failure of the watch.
    fs::remove_file(reports.file("markdown")).expect("cannot remove the file");
    let full = run(&format!("--report junit=/dev/full --report markdown={}", reports.file("markdown").display()));
    full.assert_code(1);
    let [gate, error] = full.stderr.lines().collect::<Vec<_>>().try_into().expect("two lines");
    assert!(gate.ends_with("no request was seen (port 1)"), "{gate}");
    assert!(error.starts_with("error: cannot write the report to /dev/full: No space left"), "{error}");
    assert!(reports.markdown().starts_with("<h2>tcp-reuse-watch: 1 gate passed</h2>\n"));
}

#[test]
fn gates_hold_without_a_reader() {
    let _machine = Machine::shared();
    let peer = Peer::echo();
    // Both streams are closed before the end.
    let mut command = tool::command(&format!("-p {} -o json --min-reuse 1", peer.port()));
    let RunningWatch { mut tool, stdout, .. } = RunningWatch::start_command(&mut command);
    ask(&mut peer.connect());
    peer.wait_for(1);
    drop(tool.child.stderr.take());
    tool.signal(Signal::INT);
    assert_eq!(tool.wait(Duration::from_mins(2)).code(), Some(3), "without standard error");
    drop(stdout);
    // `head` ends the watch.
    let mut bash = program("bash", "bash");
    let script = r#""$0" -p "$1" -o json --min-reuse 1 | { head -n 1 >&2; "$2" -c "$3"; head -n 1 >/dev/null; }; exit "${PIPESTATUS[0]}""#;
    bash.args(["-c", script, PROGRAM, &peer.port().to_string(), "bash", &bash_request(peer.port())]);
    let ended = RunOutput::run(&mut bash);
    ended.assert_code(3);
    assert!(ended.stderr.contains("tcp-reuse-watch: --min-reuse 1 failed: 0 of 1 request reused"), "{}", ended.stderr);
}

#[test]
fn reports_hold_any_name() {
    let _machine = Machine::shared();
    let (reports, peer) = (Reports::new(), Peer::echo());
    let names: [&[u8]; 5] = [b"a|b`c`", b"<b>&amp;</b>", b"\x1b[2J\n\x07\\", b"\xff|\"'", b"www.x.y @all"];
    let watch = RunningWatch::start(&format!("-p {} -o json --max-avoidable 0 {}", peer.port(), reports.options()));
    let RunningWatch { mut tool, stdout, .. } = watch;
    let folder = tempdir().expect("cannot create a directory");
    for name in names {
        let link = folder.path().join(OsStr::from_bytes(name));
        // A slash is no part of a file's name.
        let link = if name.contains(&b'/') { folder.path().join("<b>&amp;*_x_*") } else { link };
        symlink("/bin/bash", &link).expect("cannot create the link");
        let twice = format!("{0}; {0}", bash_request(peer.port()));
        output_of(Command::new(&link).args(["-c", &twice]).stdin(Stdio::null()));
    }
    peer.wait_for(10);
    tool.signal(Signal::INT);
    drop(stdout);
    assert_eq!(tool.wait(Duration::from_mins(2)).code(), Some(3), "{}", tool.stderr());
    let junit = reports.junit();
    let output = without_pids(junit["output"].as_str().expect("the report has an output"));
    let html = without_pids(&reports.markdown());
    let [_, groups] = tables(&html).try_into().unwrap_or_else(|_| panic!("two tables: {html}"));
    assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [8; 6], "{html}");
    for name in ["a|b`c`", "<b>&amp;*_x_*", "\\u{1b}[2J\\n\\u{7}\\", "\u{fffd}|\"'", "www.x.y @all"] {
        assert!(output.contains(&format!("\n{name} to 127.0.0.1:")), "{name}: {output}");
        let escaped = name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        let cell = format!("<code>{escaped}</code>");
        let is_there = groups.iter().any(|row| row[0] == cell);
        assert!(is_there, "{cell}: {html}");
    }
    assert!(!html.contains("<a "), "nothing became a link: {html}");
}
