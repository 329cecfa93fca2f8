//! What became of the gates, in words. They are read in the log of a CI job, by people who may not know this program: so each
//! line says what was measured and what is allowed, who did worst, why, and what to change.

use std::fmt;

use super::{
    advice, evidence,
    words::{confidence, inexactness, losses, names, plural, watched},
};
use crate::{
    conclusion::Conclusion,
    gate::{Doubt, Gate, Judgement, Measure, Verdict, Worst},
    printable::printable,
    tracker::GroupRow,
};

/// As on the command line, like `--min-reuse 0.9`.
impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--{} ", self.name())?;
        match self {
            Self::MinReuse(least) => write!(f, "{least}"),
            Self::MaxAvoidable(most) => write!(f, "{most}"),
            Self::FailOn(unwanted) => write!(f, "{unwanted}"),
        }
    }
}

/// A line for each gate that failed, was not judged, or passed with a doubt.
pub fn gate_lines(conclusion: &Conclusion) -> Vec<String> {
    let judged = conclusion.gates.iter().flatten();
    judged.filter_map(|judged| message(judged, conclusion)).map(|line| format!("tcp-reuse-watch: {line}\n")).collect()
}

/// Everything about a gate on one line. None for one that passed without a doubt.
pub(super) fn message(judged: &Judgement, conclusion: &Conclusion) -> Option<String> {
    let statement = statement(judged, conclusion)?;
    Some(match &judged.worst {
        Some(worst) => format!("{statement}. {}", printable(&blame(&judged.gate, worst))),
        None => statement,
    })
}

/// What became of a gate, without who did worst, and without a full stop. None for a gate that passed without a doubt.
pub(super) fn statement(judged: &Judgement, conclusion: &Conclusion) -> Option<String> {
    let doubt = judged.doubt.as_ref().map(|doubt| doubt_words(doubt, conclusion));
    let gate = &judged.gate;
    let text = match (judged.verdict, doubt) {
        (Verdict::Passed, None) => return None,
        (Verdict::Passed, Some(doubt)) => format!("{gate} passed, but {doubt}"),
        (Verdict::Skipped, doubt) => format!("{gate} was not judged: {}", doubt.unwrap_or_default()),
        (Verdict::Failed, None) => format!("{gate} failed: {}", failure(judged, conclusion)),
        (Verdict::Failed, Some(doubt)) => format!("{gate} failed: {}; {doubt}", failure(judged, conclusion)),
    };
    Some(printable(&text))
}

/// What was measured, with the numbers behind it, and what is allowed.
fn failure(judged: &Judgement, conclusion: &Conclusion) -> String {
    let totals = &conclusion.snapshot.totals;
    let measured = measure(judged);
    let worst = judged.worst.as_ref().and_then(|worst| worst.diagnosis.as_ref());
    let cause = worst.map_or("a diagnosis", |diagnosis| diagnosis.finding().name());
    match judged.gate {
        Gate::MinReuse(least) => format!(
            "{} of {} reused a TCP connection ({measured}), at least {} must",
            totals.reused,
            plural(totals.exchanges(), "request", "requests"),
            percent(least)
        ),
        Gate::MaxAvoidable(most) => format!(
            "{measured} of {} were avoidable by keeping connections open, at most {most} may",
            plural(totals.pool.asked().unwrap_or(0), "TCP connection", "TCP connections")
        ),
        Gate::FailOn(_) if judged.measured == Some(Measure::Count(1)) => {
            format!("1 pair of a process and a destination has {cause}, which is not allowed")
        }
        Gate::FailOn(_) => format!(
            "{measured} pairs of a process and a destination have a diagnosis that is not allowed, the worst is {cause}"
        ),
    }
}

/// Who did worst, why, and what to change.
fn blame(gate: &Gate, Worst { group, diagnosis }: &Worst) -> String {
    let counts = &group.counts;
    let how = match gate {
        Gate::MinReuse(_) => {
            format!(", {} of {} reused one", counts.reused, plural(counts.exchanges(), "request", "requests"))
        }
        Gate::MaxAvoidable(_) => format!(
            ", {} of {} avoidable",
            counts.pool.avoidable().unwrap_or(0),
            plural(counts.pool.asked().unwrap_or(0), "connection", "connections")
        ),
        Gate::FailOn(_) => String::new(),
    };
    let why = match diagnosis {
        Some(diagnosis) => format!(
            "{}{}: {}. To do: {}",
            diagnosis.finding().name(),
            confidence(diagnosis),
            evidence::sentence(&diagnosis.evidence),
            advice::sentence(diagnosis)
        ),
        None => unexplained(group),
    };
    format!("Worst: {}{how}. Why: {why}", who(group))
}

/// What can be said of a group without a diagnosis.
fn unexplained(group: &GroupRow) -> String {
    let pool = &group.counts.pool;
    match pool.asked() {
        Some(asked @ 2..) if pool.is_exact() && pool.needed() == Some(asked) => {
            format!("all {asked} connections were in use at the same time, so none could be reused.")
        }
        _ => "not known: its connections show no pattern.".into(),
    }
}

/// Like `client[7] to 192.0.2.1:80`.
pub(super) fn who(group: &GroupRow) -> String {
    let (process, remote) = names(group);
    if remote.is_empty() { process } else { format!("{process} to {remote}") }
}

fn doubt_words(doubt: &Doubt, conclusion: &Conclusion) -> String {
    let snapshot = conclusion.snapshot;
    match doubt {
        Doubt::NoGround(why) => why.clone(),
        Doubt::NoExchanges => format!("no request was seen ({})", watched(conclusion.about)),
        Doubt::Marked => {
            let why: Vec<String> = inexactness(&snapshot.totals).into_iter().chain(losses(snapshot)).collect();
            format!("the share of reused connections is not exact: {}", why.join("; "))
        }
        Doubt::NotCounted => "avoidable connections were not counted (old recordings do not have them)".into(),
        Doubt::Unclear { beyond } => format!(
            "{beyond} of the avoidable connections may have been needed, because they had different server names or tunnel \
             targets, or it is not known what they asked"
        ),
        Doubt::Incomplete => match losses(snapshot).as_slice() {
            [] => "there may be more, because one row has the connections of many processes".into(),
            losses => format!("there may be more: {}", losses.join("; ")),
        },
    }
}

/// The measure by itself, for a table: `41.7 %`, `9`.
pub(super) fn measure(judged: &Judgement) -> String {
    match judged.measured {
        None => "–".into(),
        Some(Measure::Ratio(ratio)) => match judged.gate {
            Gate::MinReuse(least) if ratio < least => percent_below(ratio, least),
            _ => percent_of(ratio),
        },
        Some(Measure::Count(count)) => count.to_string(),
    }
}

/// The limit by itself, for a table: `≥ 90 %`, `≤ 3`.
pub(super) fn limit(gate: &Gate) -> String {
    match gate {
        Gate::MinReuse(least) => format!("≥ {}", percent(*least)),
        Gate::MaxAvoidable(most) => format!("≤ {most}"),
        Gate::FailOn(_) => "none".into(),
    }
}

/// A percentage with the digits that it was given with.
fn percent(share: f64) -> String {
    let text = format!("{:.4}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A percentage with one decimal.
fn percent_of(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// The same, but with as many decimals as tell it from a limit above it.
fn percent_below(share: f64, limit: f64) -> String {
    let texts = (1..=9).map(|decimals| format!("{:.decimals$}", share * 100.0));
    let is_below = |text: &String| text.parse().is_ok_and(|percent: f64| percent < limit * 100.0);
    let text = texts.into_iter().find(is_below).unwrap_or_else(|| (share * 100.0).to_string());
    format!("{text} %")
}

/// What became of all gates, for a title: `2 of 3 gates failed`.
pub(super) fn verdict(judged: &[Judgement]) -> String {
    let count = |verdict| judged.iter().filter(|judged| judged.verdict == verdict).count() as u64;
    let (failed, skipped) = (count(Verdict::Failed), count(Verdict::Skipped));
    let all = judged.len() as u64;
    let not_judged = if skipped > 0 { format!(", {skipped} not judged") } else { String::new() };
    match failed {
        0 if skipped == all => format!("{} not judged", plural(all, "gate", "gates")),
        0 => format!("{} passed{not_judged}", plural(all - skipped, "gate", "gates")),
        _ => format!("{failed} of {} failed{not_judged}", plural(all, "gate", "gates")),
    }
}

#[cfg(test)]
mod tests;
