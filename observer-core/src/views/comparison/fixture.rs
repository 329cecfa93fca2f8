//! Summaries for the tests: a client that leaves bodies unread, and one that reads them.

use crate::comparison::{Comparison, FileKind, Side, Summary};

pub(super) fn unread_group() -> String {
    r#"{"process":"client","pid":7,"remote":"127.0.0.1","port":8080,"opened":10,"failed":0,"closed":10,"new":10,"reused":0,"inexact":0,"marked":0,"asked":10,"needed":1,"avoidable":9,"avoidable_exact":true,"closes":{"unread-response":10}}"#.into()
}

pub(super) fn unread() -> String {
    summary(&unread_group())
}

pub(super) fn read() -> String {
    summary(
        r#"{"process":"client","pid":8,"remote":"127.0.0.1","port":8080,"opened":1,"failed":0,"closed":1,"new":1,"reused":9,"inexact":0,"marked":0,"asked":1,"needed":1,"avoidable":0,"avoidable_exact":true,"closes":{"closed-after-response":1}}"#,
    )
}

pub(super) fn summary(groups: &str) -> String {
    format!(
        r#"{{"type":"summary","schema":1,"version":"0.1.0","duration_us":1200000,"kernel":"6.1.0","complete":true,"groups":[{groups}]}}"#
    )
}

pub(super) fn compare(before: &str, after: &str) -> Comparison {
    let side = |file: &str, text: &str| Side {
        file: file.into(),
        kind: FileKind::Summary,
        cut: None,
        summary: Summary::read(text.as_bytes()).unwrap(),
    };
    Comparison::new(side("before.json", before), side("after.json", after), Vec::new()).unwrap()
}
