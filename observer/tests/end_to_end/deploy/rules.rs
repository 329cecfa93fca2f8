//! Recording and alert rules, by their own tests, and by promtool.

use std::fs;

use serde_json::Value;

use super::{deployed, items, run_in, text, yaml};

pub(super) const FILES: [&str; 2] = ["recording.rules.yml", "alerts.rules.yml"];

/// All rules of both files.
pub(super) fn rules() -> Vec<Value> {
    let documents = FILES.map(|file| yaml(&format!("prometheus/{file}")));
    let groups = documents.iter().flatten().flat_map(|document| items(&document["groups"]));
    groups.flat_map(|group| items(&group["rules"])).cloned().collect()
}

#[test]
fn promtool_finds_nothing_to_say() {
    for arguments in
        [&["check", "rules", FILES[0], FILES[1]][..], &["check", "config", "--syntax-only", "scrape.yml"][..]]
    {
        let ended = run_in("prometheus", "promtool", "prometheus", arguments);
        ended.assert_code(0);
        assert_eq!(ended.stderr, "", "{arguments:?}");
    }
}

#[test]
fn they_pass_their_tests() {
    let ended = run_in("prometheus", "promtool", "prometheus", &["test", "rules", "tests.yml"]);
    ended.assert_code(0);
    assert!(ended.stdout.contains("SUCCESS"), "{ended:?}");
}

#[test]
fn each_has_a_test() {
    let tests = fs::read_to_string(deployed("prometheus/tests.yml")).expect("the tests can be read");
    let rules = rules();
    assert!(rules.len() >= 10);
    for rule in &rules {
        let name = text(rule.get("record").unwrap_or(&rule["alert"]));
        assert!(tests.contains(name), "{name} is not tested");
    }
}
