//! `compare`: the Go program that leaves bodies unread and the one that reads them, watched once each, side by side.

use std::{fs, path::PathBuf, process::Command};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::support::{
    go::{self, Server},
    machine::Machine,
    programs::{output_of, program},
    report::{Report, assert_fields},
    tool::{self, RunOutput},
};

/// The story: a folder with a recording, a summary and the JSON output of each half.
struct Story {
    folder: TempDir,
    unread: Report,
}

impl Story {
    fn watch() -> Self {
        let machine = Machine::shared();
        let folder = tempdir().expect("cannot create a directory");
        let server = Server::start("-address 127.0.0.1:0 -body 1048576");
        let watch = |name: &str, client: &str| {
            let path = |kind: &str| folder.path().join(format!("{name}.{kind}")).display().to_string();
            let (record, summary) = (path("recording"), path("summary"));
            let watch = machine.watch(format!("-p {} --record {record} --summary {summary}", server.port));
            // Go closes an unread body's connection in the background: the pause gives it time to.
            output_of(&mut go::client(&format!("-url http://{} -pause 50ms {client}", server.address())));
            let report = watch.end();
            let all = [&report.start].into_iter().chain(&report.rows).chain([&report.summary]);
            let text = all.map(ToString::to_string).collect::<Vec<_>>().join("\n");
            fs::write(path("json"), text).expect("cannot write the output");
            report
        };
        let unread = watch("unread", "");
        let read = watch("read", "-read");
        unread.assert_totals(&json!({ "opened": 10, "new": 10, "reused": 0 }));
        read.assert_totals(&json!({ "opened": 1, "new": 1, "reused": 9, "avoidable": 0 }));
        Self { folder, unread }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, before: &str, after: &str, options: &[&str]) -> Command {
        let mut command = tool::command("compare");
        command.current_dir(self.folder.path()).args([before, after]).args(options).env_remove("COLUMNS");
        command
    }

    fn compare(&self, before: &str, after: &str, options: &[&str]) -> RunOutput {
        RunOutput::run(&mut self.command(before, after, options))
    }

    /// 9, unless the machine was so busy that Go closed connections late.
    fn avoidable(&self) -> u64 {
        let avoidable = self.unread.total("avoidable");
        assert!((1..=9).contains(&avoidable), "{avoidable} avoidable");
        avoidable
    }
}

fn json_of(output: &RunOutput) -> Value {
    let [line] = output.stdout.lines().collect::<Vec<_>>()[..] else { panic!("one line of JSON: {output:?}") };
    serde_json::from_str(line).expect("the line is JSON")
}

#[test]
fn story_is_compared_in_every_form_of_file_and_output() {
    let story = Story::watch();
    let avoidable = story.avoidable();
    let sentence = format!("avoidable connections {avoidable} → 0, reuse 0 % → 90 %");
    for before in ["unread.recording", "unread.summary", "unread.json"] {
        for after in ["read.recording", "read.summary", "read.json"] {
            let lines = story.compare(before, after, &[]);
            lines.assert_code(0);
            assert_eq!(lines.stderr, "");
            assert_eq!(lines.stdout.lines().last(), Some(sentence.as_str()), "{}", lines.stdout);
        }
    }
    let lines = story.compare("unread.recording", "read.summary", &[]).stdout;
    let [header, row] = ["PROCESS", "story-client  127.0.0.1:"].map(|begin| {
        lines.lines().find(|line| line.starts_with(begin)).unwrap_or_else(|| panic!("no {begin}: {lines}")).to_owned()
    });
    assert!(header.ends_with("OPENED  EXCHANGES       RATIO  AVOIDABLE"), "{lines}");
    assert!(row.ends_with(&format!("10 → 1    10 → 10  0 % → 90 %      {avoidable} → 0")), "{lines}");
    assert!(lines.contains("unread-response 10 → 0"), "{lines}");
    assert!(lines.lines().all(|line| line.chars().count() <= 80), "{lines}");
    let wide = RunOutput::run(story.command("unread.recording", "read.summary", &[]).env("COLUMNS", "200")).stdout;
    assert!(wide.contains(&format!("{avoidable} → 0  unread-response 10 → 0, ")), "{wide}");

    let object = json_of(&story.compare("unread.recording", "read.summary", &["-o", "json"]));
    assert_fields(&object, &json!({ "type": "compare", "different": true, "gates": null, "warnings": [] }));
    assert_fields(
        &object["before"],
        &json!({ "file": "unread.recording", "kind": "recording", "cut": null, "complete": true }),
    );
    assert_fields(&object["after"], &json!({ "file": "read.summary", "kind": "summary", "complete": true }));
    let [group] = object["groups"].as_array().expect("groups").as_slice() else { panic!("one group: {object:#}") };
    assert_fields(group, &json!({ "process": go::CLIENT, "destination": "127.0.0.1", "overflow": false }));
    assert_fields(&group["before"], &json!({ "exchanges": 10, "reused": 0, "avoidable": avoidable, "exact": true }));
    assert_fields(&group["after"], &json!({ "exchanges": 10, "reuse_ratio": 0.9, "avoidable": 0, "exact": true }));
    for side in ["before", "after"] {
        assert_eq!(object["totals"][side], group[side]);
    }
}

#[test]
fn recording_and_summary_of_one_watch_have_no_differences() {
    let story = Story::watch();
    for (before, after) in
        [("unread.summary", "unread.recording"), ("read.recording", "read.json"), ("read.summary", "read.summary")]
    {
        let lines = story.compare(before, after, &["--max-avoidable-growth", "0", "--max-reuse-drop", "0"]);
        lines.assert_code(0);
        assert!(lines.stdout.lines().last().is_some_and(|line| line.starts_with("no differences: ")), "{lines:?}");
        assert_eq!(lines.stderr, "");
        let object = json_of(&story.compare(before, after, &["-o", "json"]));
        assert_fields(&object, &json!({ "different": false, "warnings": [] }));
    }
}

#[test]
fn what_became_worse_fails_with_a_line_for_each_limit() {
    let story = Story::watch();
    let avoidable = story.avoidable();
    let both = ["--max-avoidable-growth", "0", "--max-reuse-drop", "5%"];
    let worse = story.compare("read.summary", "unread.recording", &both);
    worse.assert_code(3);
    let lines: Vec<&str> = worse.stderr.lines().collect();
    let [growth, drop] = lines.as_slice() else { panic!("a line for each limit: {worse:#?}") };
    for (line, all) in [
        (
            growth,
            [
                "tcp-reuse-watch: --max-avoidable-growth 0 failed: ".to_owned(),
                format!(
                    "{avoidable} TCP connections were avoidable by keeping connections open, 0 before: {avoidable} more, at most 0 more"
                ),
                "Worst: story-client to 127.0.0.1:".into(),
            ],
        ),
        (
            drop,
            [
                "tcp-reuse-watch: --max-reuse-drop 0.05 failed: ".to_owned(),
                "0 % of 10 requests reused a TCP connection, 90 % before: 90 percentage points less, at most 5 ".into(),
                "Worst: story-client to 127.0.0.1:".into(),
            ],
        ),
    ] {
        for words in all {
            assert!(line.contains(&words), "{words}: {line}");
        }
    }
    assert!(worse.stdout.contains(&format!("avoidable connections 0 → {avoidable}, reuse 90 % → 0 %")), "{worse:#?}");
    let object = story.compare("read.summary", "unread.recording", &[&both[..], &["-o", "json"]].concat());
    object.assert_code(3);
    let gates = json_of(&object)["gates"].clone();
    assert_fields(&gates[0], &json!({ "name": "max-avoidable-growth", "allowed": 0, "result": "failed" }));
    assert_fields(
        &gates[1],
        &json!({ "name": "max-reuse-drop", "measured": 0.9, "allowed": 0.05, "result": "failed" }),
    );
    for (limits, code) in
        [(["--max-avoidable-growth", "9"], 0), (["--max-reuse-drop", "0.9"], 0), (["--max-reuse-drop", "0.89"], 3)]
    {
        story.compare("read.summary", "unread.recording", &limits).assert_code(code);
    }
    story.compare("unread.summary", "read.recording", &both).assert_code(0);
    story.compare("unread.summary", "read.recording", &["--max-reuse-drop", "2"]).assert_code(2);
}

#[test]
fn cut_recording_is_compared_as_far_as_it_goes() {
    let story = Story::watch();
    let text = fs::read_to_string(story.path("unread.recording")).expect("cannot read the recording");
    let cut = text.rsplit_once("{\"end\"").expect("the recording has an end").0;
    fs::write(story.path("cut"), cut).expect("cannot write the file");
    let lines = story.compare("read.summary", "cut", &["--max-avoidable-growth", "100"]);
    lines.assert_code(0);
    assert!(lines.stdout.contains("after is compared as far as it goes: cut line"), "{lines:#?}");
    assert!(
        lines.stderr.starts_with("tcp-reuse-watch: --max-avoidable-growth 100 passed, but counts are missing"),
        "{lines:#?}"
    );
    story.compare("read.summary", "cut", &["--max-avoidable-growth", "0"]).assert_code(3);
    // Of BEFORE, counts are missing, so the growth may be less than it seems.
    let cut = story.compare("cut", "unread.summary", &["--max-avoidable-growth", "0", "-o", "json"]);
    cut.assert_code(0);
    assert!(json_of(&cut)["before"]["cut"].as_str().is_some_and(|reason| reason.contains("cut off")), "{cut:#?}");
}

#[test]
fn renamed_servers_and_programs_are_mapped() {
    let story = Story::watch();
    let renamed = fs::read_to_string(story.path("read.summary"))
        .expect("cannot read the summary")
        .replace(go::CLIENT, "new-client")
        .replace("\"127.0.0.1\"", "\"10.0.0.7\"");
    fs::write(story.path("renamed"), renamed).expect("cannot write the file");
    let apart = story.compare("unread.summary", "renamed", &[]);
    apart.assert_code(0);
    for words in ["only before: story-client → 127.0.0.1:", "only after: new-client → 10.0.0.7:", "--map OLD=NEW"] {
        assert!(apart.stdout.contains(words), "{words}: {}", apart.stdout);
    }
    let maps = ["--map", "story-client=new-client", "--map", "127.0.0.1=10.0.0.7"];
    let mapped = story.compare("unread.recording", "renamed", &maps);
    mapped.assert_code(0);
    assert!(!mapped.stdout.contains("only "), "{}", mapped.stdout);
    assert!(mapped.stdout.contains("new-client  10.0.0.7:"), "{}", mapped.stdout);
    let nothing = story.compare("unread.recording", "renamed", &["--map", "10.9.9.9=10.0.0.7"]);
    nothing.assert_code(1);
    for words in ["10.9.9.9", "its processes: story-client;", "its destinations: 127.0.0.1:"] {
        assert!(nothing.stderr.contains(words), "{words}: {}", nothing.stderr);
    }
    story.compare("unread.recording", "renamed", &["--map", "x"]).assert_code(2);
}

#[test]
fn other_files_are_refused_by_name() {
    let story = Story::watch();
    let output = fs::read_to_string(story.path("unread.json")).expect("cannot read the output");
    let no_summary = output.lines().next().expect("the output has a first line").to_owned();
    for (name, text, words) in [
        ("empty", String::new(), "empty is empty: "),
        ("text", "PROCESS REMOTE\n".into(), "text: neither a recording (--record) nor a JSON summary (--summary, "),
        ("running", no_summary.clone(), "running: it has no summary, which a watch writes when it ends"),
        ("cut", output[..output.len() - 10].into(), "cut: cut off in line "),
        ("newer", "{\"recording\":99,\"version\":\"9\"}\n".into(), "newer line 1: a recording of version 99"),
        ("header", "{\"recording\":1}\n".into(), "nothing to compare: the recording has no counts: header line 1"),
    ] {
        fs::write(story.path(name), text).expect("cannot write the file");
        let refused = story.compare("read.summary", name, &[]);
        refused.assert_code(1);
        assert_eq!((refused.stdout.as_str(), refused.stderr.lines().count()), ("", 1));
        assert!(refused.stderr.contains(words), "{words}: {}", refused.stderr);
    }
    for path in ["/no/such/file", "/"] {
        let refused = story.compare(path, "read.summary", &[]);
        refused.assert_code(1);
        assert!(refused.stderr.contains(&format!("cannot read {path}: ")), "{}", refused.stderr);
    }
}

/// The renderer is GitHub's own.
#[test]
fn markdown_is_rendered_as_a_table_whatever_the_names_are() {
    let story = Story::watch();
    let render = |before: &str, after: &str| {
        let markdown = story.compare(before, after, &["-o", "markdown"]);
        markdown.assert_code(0);
        let mut renderer = program("cmark-gfm", "cmark-gfm");
        renderer.args(["--unsafe", "-e", "table", "-e", "autolink", "-e", "strikethrough"]);
        let html = RunOutput::run_on(&markdown.stdout, std::time::Duration::from_mins(2), &mut renderer);
        html.assert_code(0);
        html.stdout
    };
    let html = render("unread.recording", "read.summary");
    let sentence = format!("<strong>avoidable connections {} → 0, reuse 0 % → 90 %</strong>", story.avoidable());
    for words in [&sentence, "<td>story-client</td>\n<td>127.0.0.1:", "<td align=\"right\">0 % → 90 %</td>"] {
        assert!(html.contains(words), "{words}: {html}");
    }
    assert_eq!(html.matches("<tr>").count(), 2, "{html}");

    let hostile = fs::read_to_string(story.path("unread.summary"))
        .expect("cannot read the summary")
        .replace(go::CLIENT, r"a|b`<b>*_~~x~~](http://x.yz) www.x.yz\u001b[2J\u202e\n# h");
    fs::write(story.path("hostile"), hostile).expect("cannot write the file");
    let html = render("hostile", "unread.summary");
    assert_eq!((html.matches("<tr>").count(), html.matches("<td").count()), (4, 21), "{html}");
    for markup in ["<b>", "<a ", "<code>", "<em>", "<del>", "<h1>", "\u{1b}", "\u{202e}"] {
        assert!(!html.contains(markup), "{markup}: {html}");
    }
    assert!(html.contains("<td>a|b`&lt;b&gt;*_~~x~~](http://x.yz) www.x.yz\\u{1b}[2J\\u{202e}\\n# h</td>"), "{html}");
}
