//! The gates in the summary object.

use std::net::IpAddr;

use serde::Serialize;

use crate::{
    conclusion::Conclusion,
    gate::{Judgement, Measure, Worst},
    views::gates::message,
};

#[derive(Serialize)]
pub(super) struct Gate<'a> {
    name: &'static str,
    measured: Option<Number>,
    allowed: Number,
    result: &'static str,
    group: Option<Group<'a>>,
    message: Option<String>,
}

/// A ratio or a count.
#[derive(Serialize)]
#[serde(untagged)]
enum Number {
    Ratio(f64),
    Count(u64),
}

/// The group that did worst. All but its cause are as in the list of groups.
#[derive(Serialize)]
struct Group<'a> {
    process: Option<&'a str>,
    pid: Option<u32>,
    processes: Option<u64>,
    remote: Option<IpAddr>,
    port: Option<u16>,
    user: Option<u32>,
    cause: Option<&'static str>,
}

impl<'a> Gate<'a> {
    pub(super) fn new(judged: &'a Judgement, conclusion: &Conclusion) -> Self {
        Self {
            name: judged.gate.name(),
            measured: judged.measured.map(Number::from),
            allowed: judged.gate.allowed().into(),
            result: judged.verdict.name(),
            group: judged.worst.as_deref().map(Group::from),
            message: message(judged, conclusion),
        }
    }
}

impl From<Measure> for Number {
    fn from(measure: Measure) -> Self {
        match measure {
            Measure::Ratio(ratio) => Self::Ratio(ratio),
            Measure::Count(count) => Self::Count(count),
        }
    }
}

impl<'a> From<&'a Worst> for Group<'a> {
    fn from(Worst { group, diagnosis }: &'a Worst) -> Self {
        let name = group.name.as_deref();
        Self {
            process: name.and_then(|name| name.process.as_deref()),
            pid: group.pid,
            processes: group.processes,
            remote: name.map(|name| name.remote),
            port: name.map(|name| name.port),
            user: group.user,
            cause: diagnosis.as_ref().map(|diagnosis| diagnosis.finding().name()),
        }
    }
}
