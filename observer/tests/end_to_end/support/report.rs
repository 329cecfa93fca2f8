//! What a watch said in JSON, line by line. Whatever is read here keeps to the contract, or the test fails.

use serde_json::{Map, Value, json};

use super::contract;

#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) start: Value,
    /// All between `start` and `summary`.
    pub(crate) rows: Vec<Value>,
    pub(crate) summary: Value,
}

impl Report {
    pub(crate) fn read(lines: impl IntoIterator<Item = String>) -> Self {
        let parse = |line: String| -> Value {
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("this line is not JSON ({error}): {line}"))
        };
        let mut rows: Vec<Value> = lines.into_iter().map(parse).collect();
        assert!(rows.len() >= 2, "a watch has at least a start and a summary: {rows:?}");
        let summary = rows.pop().expect("there are two");
        let report = Self { start: rows.remove(0), rows, summary };
        contract::check(&report);
        report
    }

    pub(crate) fn of_type(&self, kind: &str) -> Vec<&Value> {
        self.rows.iter().filter(|row| row["type"] == kind).collect()
    }

    /// The only row of this type.
    pub(crate) fn only(&self, kind: &str) -> &Value {
        match self.of_type(kind).as_slice() {
            [row] => row,
            rows => panic!("one row of type {kind} was expected: {rows:#?}"),
        }
    }

    pub(crate) fn groups(&self) -> &[Value] {
        self.summary["groups"].as_array().expect("groups is a list")
    }

    pub(crate) fn total(&self, name: &str) -> u64 {
        self.summary["totals"][name].as_u64().unwrap_or_else(|| panic!("{name} is a number: {}", self.summary))
    }

    /// Compares some of the totals.
    #[track_caller]
    pub(crate) fn assert_totals(&self, expected: &Value) {
        assert_fields(&self.summary["totals"], expected);
    }

    /// Nothing was lost, and nothing is approximate.
    #[track_caller]
    pub(crate) fn assert_complete(&self) {
        let summary = &self.summary;
        assert_eq!((&summary["complete"], &summary["exact"]), (&true.into(), &true.into()), "{summary:#}");
        self.assert_totals(&json!({ "events_lost": 0, "untracked": 0, "inexact": 0 }));
    }

    /// Each connection speaks this, and its exchanges are known to be requests.
    #[track_caller]
    pub(crate) fn assert_recognised(&self, application: &str) {
        self.assert_complete();
        for close in self.of_type("close") {
            assert_fields(close, &json!({ "exact": true, "protocol": "plain", "application": application }));
        }
        for group in self.groups().iter().filter(|group| group["exchanges"] != 0) {
            assert_fields(group, &json!({ "application": application }));
        }
    }

    /// Each connection speaks this, or nobody knows what; that its exchanges are no more than turns is said of each, and of
    /// all together.
    #[track_caller]
    pub(crate) fn assert_marked(&self, protocol: &str, application: Option<&str>) {
        for close in self.of_type("close") {
            assert_fields(close, &json!({ "exact": false, "protocol": protocol, "application": application }));
        }
        for group in self.groups() {
            assert_fields(group, &json!({ "application": application, "inexact": group["exchanges"] }));
        }
        assert_ne!(self.total("exchanges"), 0, "{:#}", self.summary);
        assert_eq!(self.summary["exact"], false, "{:#}", self.summary);
        self.assert_totals(&json!({ "events_lost": 0, "untracked": 0 }));
    }

    /// No connection was seen at all.
    #[track_caller]
    pub(crate) fn assert_nothing(&self) {
        assert!(self.rows.is_empty(), "{:#?}", self.rows);
        assert!(self.groups().is_empty(), "{:#}", self.summary);
        self.assert_totals(&json!({ "opened": 0, "failed": 0, "exchanges": 0 }));
        self.assert_complete();
    }
}

/// That an object has these values, among others.
#[track_caller]
pub(crate) fn assert_fields(object: &Value, expected: &Value) {
    let expected = expected.as_object().expect("an object of what is expected");
    let actual: Map<String, Value> =
        expected.keys().map(|name| (name.clone(), object.get(name).cloned().unwrap_or_default())).collect();
    assert_eq!(&actual, expected, "in {object:#}");
}
