//! The recording and alert rules, checked by promtool and by their own unit tests.

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
fn promtool_reports_no_problem() {
    for arguments in
        [&["check", "rules", FILES[0], FILES[1]][..], &["check", "config", "--syntax-only", "scrape.yml"][..]]
    {
        let ended = run_in("prometheus", "promtool", "prometheus", arguments);
        ended.assert_code(0);
        assert_eq!(ended.stderr, "", "{arguments:?}");
    }
}

#[test]
fn rule_tests_pass() {
    let ended = run_in("prometheus", "promtool", "prometheus", &["test", "rules", "tests.yml"]);
    ended.assert_code(0);
    assert!(ended.stdout.contains("SUCCESS"), "{ended:?}");
}

#[test]
fn every_rule_is_tested() {
    let tests = fs::read_to_string(deployed("prometheus/tests.yml")).expect("cannot read the tests");
    let rules = rules();
    assert!(rules.len() >= 10);
    for rule in &rules {
        let name = text(rule.get("record").unwrap_or(&rule["alert"]));
        assert!(tests.contains(name), "{name} is not tested");
    }
}
