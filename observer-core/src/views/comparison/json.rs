//! A comparison as one JSON object. Like the others, it is a contract: fields are only ever added, and an unknown value is
//! null.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{verdict::verdict_sentence, warnings::warnings};
use crate::{
    comparison::{Comparison, FileKind, GroupId, Judgement, Limit, Numbers, Pair, Side},
    views::json::{SCHEMA, VERSION, line},
};

#[derive(Serialize)]
struct CompareObject<'a> {
    r#type: &'static str,
    schema: u32,
    version: &'static str,
    before: SideObject<'a>,
    after: SideObject<'a>,
    maps: Vec<MapObject<'a>>,
    different: bool,
    totals: PairObject<'a>,
    groups: Vec<GroupObject<'a>>,
    /// Null if no limit was given.
    gates: Option<Vec<GateObject<'a>>>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct SideObject<'a> {
    file: &'a str,
    kind: &'static str,
    version: Option<&'a str>,
    kernel: Option<&'a str>,
    hooks: Option<&'a [String]>,
    duration_us: Option<u64>,
    complete: Option<bool>,
    /// Why the file was not read to its end.
    cut: Option<&'a str>,
}

#[derive(Serialize)]
struct MapObject<'a> {
    old: &'a str,
    new: &'a str,
}

#[derive(Serialize)]
struct IdObject<'a> {
    process: Option<&'a str>,
    destination: Option<&'a str>,
    port: Option<u16>,
    overflow: bool,
}

#[derive(Serialize)]
struct GroupObject<'a> {
    #[serde(flatten)]
    id: IdObject<'a>,
    #[serde(flatten)]
    pair: PairObject<'a>,
}

#[derive(Serialize)]
struct PairObject<'a> {
    before: Option<NumbersObject<'a>>,
    after: Option<NumbersObject<'a>>,
}

#[derive(Serialize)]
struct NumbersObject<'a> {
    opened: Option<u64>,
    failed: Option<u64>,
    closed: Option<u64>,
    exchanges: Option<u64>,
    new: Option<u64>,
    reused: Option<u64>,
    reuse_ratio: Option<f64>,
    exact: bool,
    asked: Option<u64>,
    needed: Option<u64>,
    avoidable: Option<u64>,
    avoidable_exact: Option<bool>,
    closes: Option<&'a BTreeMap<String, u64>>,
}

#[derive(Serialize)]
struct GateObject<'a> {
    name: &'static str,
    measured: Option<Number>,
    allowed: Number,
    result: &'static str,
    group: Option<IdObject<'a>>,
    /// What is wrong or uncertain, in words.
    message: Option<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Number {
    Count(i64),
    Ratio(f64),
}

pub fn comparison_json<'a>(comparison: &'a Comparison, judged: &[Judgement<'a>]) -> String {
    let gates = judged.iter().map(|judgement| gate(comparison, judgement)).collect();
    line(&CompareObject {
        r#type: "compare",
        schema: SCHEMA,
        version: VERSION,
        before: side(&comparison.before),
        after: side(&comparison.after),
        maps: comparison.mappings.iter().map(|mapping| MapObject { old: &mapping.old, new: &mapping.new }).collect(),
        different: comparison.has_differences(),
        totals: pair(&comparison.totals),
        groups: comparison.groups.iter().map(|(id, pair)| group(id.as_ref(), pair)).collect(),
        gates: (!judged.is_empty()).then_some(gates),
        warnings: warnings(comparison),
    })
}

fn side(side: &Side) -> SideObject<'_> {
    let summary = &side.summary;
    SideObject {
        file: &side.file,
        kind: match side.kind {
            FileKind::Recording => "recording",
            FileKind::Summary => "summary",
        },
        version: summary.version.as_deref(),
        kernel: summary.kernel.as_deref(),
        hooks: summary.hooks.as_deref(),
        duration_us: summary.duration_us,
        complete: summary.complete,
        cut: side.cut.as_deref(),
    }
}

impl<'a> From<Option<&'a GroupId>> for IdObject<'a> {
    fn from(id: Option<&'a GroupId>) -> Self {
        Self {
            process: id.and_then(|id| id.process.as_deref()),
            destination: id.map(|id| id.host.as_str()),
            port: id.and_then(|id| id.port),
            overflow: id.is_none(),
        }
    }
}

fn group<'a>(id: Option<&'a GroupId>, of: &'a Pair) -> GroupObject<'a> {
    GroupObject { id: id.into(), pair: pair(of) }
}

fn pair(pair: &Pair) -> PairObject<'_> {
    PairObject { before: pair.before.as_ref().map(numbers), after: pair.after.as_ref().map(numbers) }
}

fn numbers(numbers: &Numbers) -> NumbersObject<'_> {
    NumbersObject {
        opened: numbers.opened,
        failed: numbers.failed,
        closed: numbers.closed,
        exchanges: numbers.exchanges(),
        new: numbers.new,
        reused: numbers.reused,
        reuse_ratio: numbers.reuse().ratio(),
        exact: numbers.is_exact,
        asked: numbers.asked,
        needed: numbers.needed,
        avoidable: numbers.avoidable,
        avoidable_exact: numbers.avoidable.map(|_| numbers.is_avoidable_exact),
        closes: numbers.causes.as_ref(),
    }
}

fn gate<'a>(comparison: &Comparison, judgement: &Judgement<'a>) -> GateObject<'a> {
    let (measured, allowed) = match judgement.limit {
        Limit::AvoidableGrowth { measured, allowed } => {
            (measured.map(Number::Count), Number::Count(i64::try_from(allowed).unwrap_or(i64::MAX)))
        }
        Limit::ReuseDrop { measured, allowed } => (measured.map(Number::Ratio), Number::Ratio(allowed)),
    };
    GateObject {
        name: judgement.limit.name(),
        measured,
        allowed,
        result: judgement.verdict.name(),
        group: judgement.worst.map(|(id, _)| IdObject::from(id)),
        message: verdict_sentence(comparison, judgement),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        comparison::Limits,
        views::comparison::fixture::{self, compare},
    };

    #[test]
    fn story_is_one_object() {
        let comparison = compare(&fixture::unread(), &fixture::read());
        let limits = Limits { max_avoidable_growth: Some(0), max_reuse_drop: None };
        let text = comparison_json(&comparison, &limits.judge(&comparison));
        assert_eq!(text.lines().count(), 1);
        let object: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&object["type"], &object["different"]), (&json!("compare"), &json!(true)));
        let group = &object["groups"][0];
        assert_eq!((&group["destination"], &group["port"]), (&json!("127.0.0.1"), &json!(8080)));
        assert_eq!((&group["before"]["avoidable"], &group["after"]["avoidable"]), (&json!(9), &json!(0)));
        assert_eq!(object["totals"]["after"]["reuse_ratio"], 0.9);
        assert_eq!(
            object["gates"],
            json!([{ "name": "max-avoidable-growth", "measured": -9, "allowed": 0, "result": "passed", "group": null, "message": null }])
        );
        assert_eq!(object["warnings"], json!([]));
    }

    #[test]
    fn unknown_numbers_are_null() {
        let old = r#"{"type":"summary","groups":[{"process":"client","remote":"127.0.0.1","port":8080,"opened":3}]}"#;
        let comparison = compare(old, &fixture::read());
        let object: Value = serde_json::from_str(&comparison_json(&comparison, &[])).unwrap();
        let before = object["groups"][0]["before"].as_object().unwrap();
        let (known, unknown): (Vec<_>, Vec<_>) = before.iter().partition(|(_, value)| !value.is_null());
        assert_eq!(known.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["exact", "opened"]);
        assert_eq!(unknown.len(), 11);
        assert_eq!(
            (&before["exact"], &object["gates"], &object["before"]["version"]),
            (&json!(false), &json!(null), &json!(null))
        );
    }
}
