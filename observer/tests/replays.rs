//! Scenarios as data: what a recording holds, and what has to be said of it. A rule that errs costs one recording of a
//! few lines, and what it should have said; no kernel, no root and no code.
//!
//! To add one:
//!
//! 1. Put `recordings/NAME.jsonl` there: by hand from one that is like it, or from `tcp-reuse-watch --record FILE`, where
//!    all but a few connections and the last sample can go. Fields that are absent are nothing, or not known. What
//!    nobody knows is ignored: so the header has a `story`, which says what goes on. `why`, `closes` and `failures` of a
//!    group are lists in the order of `Why`, `Cause` and `Failure` in the observer-ebpf crate. Counters and rows have to
//!    fit each other; rows that are left out go into `"loss":{"rows":N}`.
//! 2. Put `recordings/NAME.expected.json` beside it: the part of the summary that matters. Fields that are not named may be
//!    anything; lists have to have that many elements; `why`, `closes`, `failures` and `values` are compared whole. In a
//!    text's place, `{"has": [...], "lacks": [...]}` names words that have to be in it, and that must not.
//! 3. `cargo test -p tcp-reuse-watch --test replays`

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Map, Value};

const EXPECTED: &str = ".expected.json";

/// Counts by name: one more of them is a difference.
const WHOLE: [&str; 4] = ["why", "closes", "failures", "values"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings")
}

/// Names of the scenarios: those of files that end so.
fn names(ending: &str) -> BTreeSet<String> {
    let files = fs::read_dir(folder()).expect("the folder of recordings").flatten();
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    names.filter_map(|name| name.strip_suffix(ending).map(str::to_owned)).collect()
}

fn expected(name: &str) -> Value {
    let text = fs::read_to_string(folder().join(format!("{name}{EXPECTED}"))).expect("what is expected");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}{EXPECTED}: {error}"))
}

/// The lines of a replay; the summary is the last of them.
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

/// What of a scenario is not as expected.
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

/// Nothing that a watch could have seen: a slip in a recording that was written by hand.
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
    let differ = equal.into_iter().filter(|(_, a, b)| a != b);
    differ.map(|(what, a, b)| format!("the recording contradicts itself: {what}: {a}, but counted {b}")).collect()
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
                    None => differences.push(format!("{at}.{name} is not there")),
                }
            }
        }
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            for (n, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                compare(&format!("{at}[{n}]"), expected, actual, differences);
            }
        }
        _ if expected == actual => {}
        _ => differences.push(format!("{at} is {actual}, and not {expected}")),
    }
}

fn is_whole(at: &str) -> bool {
    at.rsplit('.').next().is_some_and(|field| WHOLE.contains(&field))
}

/// What is wrong with a text, by words that it has to have or to lack.
fn wrong_words(words: &Map<String, Value>, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (verb, words) in words {
        for word in words.as_array().expect("a list of words") {
            let word = word.as_str().expect("a word");
            match (verb.as_str(), text.contains(word)) {
                ("has", true) | ("lacks", false) => {}
                ("has", false) => wrong.push(format!("lacks {word:?}")),
                ("lacks", true) => wrong.push(format!("has {word:?}")),
                _ => wrong.push(format!("cannot be asked for {verb:?}")),
            }
        }
    }
    wrong
}

#[test]
fn each_recording_gets_what_is_expected_of_it() {
    let names = names(".jsonl");
    assert!(!names.is_empty());
    let mut wrong = Vec::new();
    for name in &names {
        wrong.extend(differences_of(name).into_iter().map(|difference| format!("{name}: {difference}")));
    }
    assert!(wrong.is_empty(), "{} scenarios, of which differ:\n{}", names.len(), wrong.join("\n"));
}

#[test]
fn each_recording_has_its_expectation_and_the_other_way_round() {
    assert_eq!(names(".jsonl"), names(EXPECTED));
}

/// Names that a function of the program gives.
fn names_given_by(function: &str, file: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a source file");
    let (_, body) = text.split_once(&format!("fn {function}(")).expect("the function is there");
    let (body, _) = body.split_once("\n}\n").expect("it ends");
    body.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Findings that somebody adds come with a scenario, and so do causes and reasons.
#[test]
fn each_finding_cause_and_reason_has_a_scenario() {
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
    // The end of such a connection was not seen: that is no name in a summary.
    causes.insert("unknown".into());
    assert_eq!(findings, names_given_by("finding_name", "src/view.rs"));
    assert_eq!(causes, names_given_by("cause_name", "src/event.rs"));
    assert_eq!(reasons, names_given_by("why_name", "src/event.rs"));
}

/// The comparison itself: what it would not notice, no scenario could hold.
#[test]
fn what_differs_is_noticed() {
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
