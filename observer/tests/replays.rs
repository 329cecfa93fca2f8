//! Scenarios as data: recordings and the summaries expected of them. A test for a wrong diagnosis takes a recording of a
//! few lines and the expected summary, but no kernel, no root and no code.
//!
//! To add a scenario:
//!
//! 1. Write `recordings/NAME.jsonl`: edit a similar recording by hand, or take the output of `tcp-reuse-watch --record
//!    FILE` and remove all but a few connections and the last sample. An absent field is zero or unknown. Unknown fields
//!    are ignored, so the header has a `story` that describes the scenario. `why`, `closes` and `failures` of a group
//!    are lists in the order of `Why`, `Cause` and `Failure` in the observer-ebpf crate. Counters have to match rows;
//!    enter the number of removed rows as `"loss":{"rows":N}`.
//! 2. Write `recordings/NAME.expected.json`: the part of the summary that matters. Fields that it does not name may have
//!    any value. Lists must have the same length; `why`, `closes`, `failures` and `values` are compared whole. In place
//!    of a text, `{"has": [...], "lacks": [...]}` lists words that the text must and must not contain.
//! 3. Run `cargo test -p tcp-reuse-watch --test replays`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use observer_core::{
    diagnosis::Finding,
    model::{CAUSES, WHYS, cause_name, why_name},
};
use serde_json::{Map, Value};

const EXPECTED: &str = ".expected.json";

/// Objects of counts by name, in which an additional name is a difference.
const WHOLE: [&str; 4] = ["why", "closes", "failures", "values"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings")
}

/// The names of the scenarios, from the files with this ending.
fn names(ending: &str) -> BTreeSet<String> {
    let files = fs::read_dir(folder()).expect("the folder of recordings").flatten();
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    names.filter_map(|name| name.strip_suffix(ending).map(str::to_owned)).collect()
}

fn expected(name: &str) -> Value {
    let text = fs::read_to_string(folder().join(format!("{name}{EXPECTED}"))).expect("what is expected");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}{EXPECTED}: {error}"))
}

/// The output lines of a replay; the last one is the summary.
fn replay(name: &str) -> Result<Vec<Value>, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcp-reuse-watch"));
    command.args(["replay", "--speed", "max", "-o", "json"]).arg(folder().join(format!("{name}.jsonl")));
    let output = command.output().expect("the program can be run");
    if !output.status.success() || !output.stderr.is_empty() {
        return Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8(output.stdout).expect("the output is UTF-8");
    Ok(text.lines().map(|line| serde_json::from_str(line).expect("each line is an object")).collect())
}

/// Differences between a scenario's summary and the expected one.
fn differences_of(name: &str) -> Vec<String> {
    let lines = match replay(name) {
        Ok(lines) => lines,
        Err(error) => return vec![error],
    };
    let summary = lines.last().expect("a summary");
    let mut differences = contradictions(&lines, summary);
    compare("", &expected(name), summary, &mut differences);
    differences
}

/// Contradictions that no watch could have recorded: mistakes in a recording edited by hand.
fn contradictions(lines: &[Value], summary: &Value) -> Vec<String> {
    let number = |value: &Value| value.as_u64().expect("a count");
    let sum = |counts: &Value| counts.as_object().expect("counts").values().map(number).sum::<u64>();
    let totals = &summary["totals"];
    let counted: u64 = ["opened", "closed", "failed"].map(|counter| number(&totals[counter])).iter().sum();
    let is_shown = |line: &&Value| ["open", "close", "failed"].iter().any(|kind| line["type"] == *kind);
    let shown = lines.iter().filter(is_shown).count() as u64;
    let mut equal = vec![("rows shown and lost", shown + number(&totals["events_lost"]), counted)];
    for group in summary["groups"].as_array().expect("groups") {
        equal.push(("why", sum(&group["why"]), number(&group["opened"])));
        equal.push(("closes", sum(&group["closes"]), number(&group["closed"])));
        equal.push(("new", number(&group["new"]), sum(&group["exchanges_per_connection"])));
    }
    let unequal = equal.into_iter().filter(|(_, a, b)| a != b);
    unequal.map(|(name, a, b)| format!("the recording contradicts itself: {name}: {a}, but counted {b}")).collect()
}

fn compare(at: &str, expected: &Value, actual: &Value, differences: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(words), Value::String(text)) => {
            differences.extend(wrong_words(words, text).into_iter().map(|wrong| format!("{at} {wrong}: {text:?}")));
        }
        (Value::Object(fields), Value::Object(_)) if !is_whole(at) => {
            for (name, expected) in fields {
                match actual.get(name) {
                    Some(actual) => compare(&format!("{at}.{name}"), expected, actual, differences),
                    None => differences.push(format!("{at}.{name} is missing")),
                }
            }
        }
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            for (n, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                compare(&format!("{at}[{n}]"), expected, actual, differences);
            }
        }
        _ if expected == actual => {}
        _ => differences.push(format!("{at} is {actual}, not {expected}")),
    }
}

fn is_whole(at: &str) -> bool {
    at.rsplit('.').next().is_some_and(|field| WHOLE.contains(&field))
}

/// Checks a text against the words that it must have or lack.
fn wrong_words(words: &Map<String, Value>, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (verb, words) in words {
        for word in words.as_array().expect("a list of words") {
            let word = word.as_str().expect("a word");
            match (verb.as_str(), text.contains(word)) {
                ("has", true) | ("lacks", false) => {}
                ("has", false) => wrong.push(format!("lacks {word:?}")),
                ("lacks", true) => wrong.push(format!("has {word:?}")),
                _ => wrong.push(format!("cannot be checked by {verb:?}: use \"has\" or \"lacks\"")),
            }
        }
    }
    wrong
}

#[test]
fn replays_give_the_expected_summaries() {
    let names = names(".jsonl");
    assert!(!names.is_empty());
    let mut wrong = Vec::new();
    for name in &names {
        wrong.extend(differences_of(name).into_iter().map(|difference| format!("{name}: {difference}")));
    }
    assert!(wrong.is_empty(), "differences among {} scenarios:\n{}", names.len(), wrong.join("\n"));
}

#[test]
fn recordings_and_expectations_come_in_pairs() {
    assert_eq!(names(".jsonl"), names(EXPECTED));
}

/// Whoever adds a finding, cause or reason has to add a scenario.
#[test]
fn every_finding_cause_and_reason_has_a_scenario() {
    let (mut findings, mut causes, mut reasons) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let keys = |counts: &Value| counts.as_object().expect("counts").keys().cloned().collect::<Vec<_>>();
    for name in names(EXPECTED) {
        for group in expected(&name)["groups"].as_array().expect("groups") {
            causes.extend(keys(&group["closes"]));
            reasons.extend(keys(&group["why"]));
            let diagnoses = group["diagnoses"].as_array().expect("diagnoses");
            findings.extend(diagnoses.iter().filter_map(|of| of["cause"].as_str()).map(str::to_owned));
        }
    }
    let owned = |names: &[&str]| names.iter().copied().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(findings, owned(&Finding::ALL.map(Finding::name)));
    assert_eq!(causes, owned(&CAUSES.map(cause_name)));
    assert_eq!(reasons, owned(&WHYS.map(why_name)));
}

/// Tests the comparison itself, on which all scenarios depend.
#[test]
fn comparison_finds_every_difference() {
    let actual =
        serde_json::json!({ "groups": [{ "why": { "first": 1 }, "pid": null, "advice": "Read it." }], "more": 1 });
    for (expected, differences) in [
        (r#"{"groups": [{"why": {"first": 1}, "pid": null, "advice": {"has": ["Read"], "lacks": ["agent"]}}]}"#, 0),
        (r#"{"groups": []}"#, 1),
        (r#"{"groups": [{"why": {}}]}"#, 1),
        (r#"{"groups": [{"why": {"first": 2}}]}"#, 1),
        (r#"{"groups": [{"pid": 0, "whi": {}}]}"#, 2),
        (r#"{"groups": [{"advice": {"has": ["agent"], "lacks": ["Read"], "had": ["it"]}}]}"#, 3),
        (r#"{"groups": [{"advice": "Read it"}], "more": "1"}"#, 2),
    ] {
        let mut found = Vec::new();
        compare("", &serde_json::from_str(expected).expect("JSON"), &actual, &mut found);
        assert_eq!(found.len(), differences, "{expected}: {found:?}");
    }
}

/// Gates on a recording: the exit code, and words of the only line on standard error.
fn assert_gates(file: &Path, gates: &str, code: i32, words: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcp-reuse-watch"));
    command.args(["replay", "--speed", "max", "-o", "json"]).args(gates.split_whitespace()).arg(file);
    let output = command.output().expect("the program can be run");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{gates}: {stderr}");
    assert_eq!(stderr.lines().count(), words.len().min(1), "{gates}: {stderr}");
    assert!(words.iter().all(|words| stderr.contains(words)), "{gates}: {words:?}: {stderr}");
    let summary: Value = serde_json::from_str(stdout.lines().last().expect("a summary")).expect("an object");
    let [gate] = summary["gates"].as_array().expect("gates").as_slice() else { panic!("{gates}: {summary:#}") };
    let message = stderr.lines().next().and_then(|line| line.strip_prefix("tcp-reuse-watch: "));
    assert_eq!(gate["message"].as_str(), message, "{gates}");
    let result = if code == 3 { "failed" } else { gate["result"].as_str().expect("a result") };
    assert_eq!(gate["result"], result, "{gates}");
    assert_eq!(gate["group"].is_null(), code != 3, "{gates}: {gate:#}");
}

#[test]
fn gates_judge_replays() {
    for (name, gates, code, words) in [
        ("a-good-ratio", "--min-reuse 0.94", 0, &[][..]),
        ("a-good-ratio", "--min-reuse 94.1%", 3, &["94 of 100 requests reused", "at least 94.1 % must"]),
        ("a-good-ratio", "--fail-on any", 0, &[]),
        ("response-not-read-go-1.19", "--min-reuse 1", 3, &["response-not-read", "io.Copy(io.Discard, res.Body)"]),
        ("response-not-read-go-1.19", "--fail-on response-not-read", 3, &["client[7] to 192.0.2.1:80"]),
        ("response-not-read-go-1.19", "--fail-on server-closes-each,stale-connection", 0, &[]),
        // Only possible.
        ("closed-after-response-java", "--fail-on any", 0, &[]),
        // Healthy.
        ("max-lifetime", "--fail-on any", 0, &[]),
        ("connection-per-message", "--min-reuse 0.5", 0, &["was not judged", "cannot be counted exactly"]),
        ("a-good-ratio", "--max-avoidable 0", 0, &["was not judged", "old recordings"]),
        ("overflow-of-a-user", "--fail-on any", 0, &["passed, but there may be more"]),
    ] {
        assert_gates(&folder().join(format!("{name}.jsonl")), gates, code, words);
    }
}

/// A pool that keeps its connections would have needed one of ten.
#[test]
fn gates_judge_avoidable_connections_of_replays() {
    const HEADER: &str = "{\"recording\":1}\n";
    const GROUP: &str = r#"{"key":{"tgid":7,"addr":"::ffff:192.0.2.1","port":80},"counters":{"comm":"client","opened":10,"new":10,"exchanges_per_connection":[10],"why":[1,0,9],"asked":10,"needed":1,"pool":POOL}}"#;
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("recording");
    for (pool, gates, code, words) in [
        (r#"["counted"]"#, "--max-avoidable 9", 0, &[][..]),
        (r#"["counted"]"#, "--max-avoidable 8", 3, &["9 of 10 TCP connections were avoidable", "at most 8"]),
        (r#"["counted","mixed"]"#, "--max-avoidable 8", 0, &["was not judged", "may have been needed"]),
        (r#"["counted","unheard"]"#, "--max-avoidable 9", 0, &[]),
    ] {
        let sample = format!("{{\"sample\":{{\"unix_ns\":1,\"groups\":[{}]}}}}\n", GROUP.replace("POOL", pool));
        fs::write(&file, format!("{HEADER}{sample}{{\"end\":{{\"unix_ns\":2}}}}\n")).expect("a recording");
        assert_gates(&file, gates, code, words);
        // What comes before the loss of the end is not the whole watch.
        fs::write(&file, format!("{HEADER}{sample}")).expect("a recording");
        let output = Command::new(env!("CARGO_BIN_EXE_tcp-reuse-watch"))
            .args(["replay", "--speed", "max", "-o", "none"])
            .args(gates.split_whitespace())
            .arg(&file)
            .output()
            .expect("the program can be run");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("was not judged: the recording was not replayed to its end"), "{stderr}");
    }
}
