//! The JSON output of a watch, parsed line by line. Every report is checked against the contract.

use serde_json::{Map, Value, json};

use super::contract;

#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) start: Value,
    /// All rows between `start` and `summary`.
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
        let summary = rows.pop().expect("there are two rows");
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
            rows => panic!("expected one row of type {kind}: {rows:#?}"),
        }
    }

    pub(crate) fn groups(&self) -> &[Value] {
        self.summary["groups"].as_array().expect("groups is a list")
    }

    pub(crate) fn total(&self, name: &str) -> u64 {
        self.summary["totals"][name].as_u64().unwrap_or_else(|| panic!("{name} is not a number: {}", self.summary))
    }

    /// Compares the given totals, and ignores the others.
    #[track_caller]
    pub(crate) fn assert_totals(&self, expected: &Value) {
        assert_fields(&self.summary["totals"], expected);
    }

    /// Asserts that nothing was lost and that all counts are exact.
    #[track_caller]
    pub(crate) fn assert_complete(&self) {
        let summary = &self.summary;
        assert_eq!((&summary["complete"], &summary["exact"]), (&true.into(), &true.into()), "{summary:#}");
        self.assert_totals(&json!({ "events_lost": 0, "untracked": 0, "inexact": 0 }));
    }

    /// Asserts that each connection speaks this protocol, so its exchanges are exact.
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

    /// Asserts that each connection speaks this protocol (`None`: unrecognised), and that every exchange is marked as
    /// inexact, in the rows and in the totals.
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

    /// Asserts that no connection was seen at all.
    #[track_caller]
    pub(crate) fn assert_nothing(&self) {
        assert!(self.rows.is_empty(), "{:#?}", self.rows);
        assert!(self.groups().is_empty(), "{:#}", self.summary);
        self.assert_totals(&json!({ "opened": 0, "failed": 0, "exchanges": 0 }));
        self.assert_complete();
    }
}

/// Asserts that an object has these values; other fields are ignored.
#[track_caller]
pub(crate) fn assert_fields(object: &Value, expected: &Value) {
    let expected = expected.as_object().expect("the expected fields are an object");
    let actual: Map<String, Value> =
        expected.keys().map(|name| (name.clone(), object.get(name).cloned().unwrap_or_default())).collect();
    assert_eq!(&actual, expected, "in {object:#}");
}
