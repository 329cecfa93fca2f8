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

/// None for a gate that passed without a doubt.
pub(super) fn message(judged: &Judgement, conclusion: &Conclusion) -> Option<String> {
    let doubt = judged.doubt.as_ref().map(|doubt| doubt_words(doubt, conclusion));
    let gate = &judged.gate;
    let text = match (judged.verdict, doubt) {
        (Verdict::Passed, None) => return None,
        (Verdict::Passed, Some(doubt)) => format!("{gate} passed, but {doubt}"),
        (Verdict::Skipped, doubt) => format!("{gate} was not judged: {}", doubt.unwrap_or_default()),
        (Verdict::Failed, doubt) => {
            let more = doubt.map_or_else(String::new, |doubt| format!(" Besides, {doubt}."));
            let worst = judged.worst.as_ref().map_or_else(String::new, |worst| worst_words(gate, worst));
            format!("{gate} failed: {}, {}.{worst}{more}", measured(judged, conclusion), allowed(gate))
        }
    };
    Some(printable(&text))
}

/// What was measured, with the numbers behind it.
fn measured(judged: &Judgement, conclusion: &Conclusion) -> String {
    let snapshot = conclusion.snapshot;
    let totals = &snapshot.totals;
    match (&judged.gate, judged.measured) {
        (Gate::MinReuse(_), Some(Measure::Ratio(ratio))) => format!(
            "{} of {} reused a TCP connection ({})",
            totals.reused,
            plural(totals.exchanges(), "request", "requests"),
            percent_below(ratio)
        ),
        (Gate::MaxAvoidable(_), Some(Measure::Count(avoidable))) => format!(
            "{avoidable} of {} were avoidable by keeping connections open",
            plural(totals.pool.asked().unwrap_or(0), "TCP connection", "TCP connections")
        ),
        (Gate::FailOn(_), Some(Measure::Count(found))) => {
            let pairs = plural(snapshot.groups.len() as u64, "pair", "pairs");
            let have = if found == 1 { "has" } else { "have" };
            format!("{found} of {pairs} of a process and a destination {have} such a diagnosis")
        }
        _ => "not measured".into(),
    }
}

fn allowed(gate: &Gate) -> String {
    match gate {
        Gate::MinReuse(least) => format!("at least {} must", percent(*least)),
        Gate::MaxAvoidable(0) | Gate::FailOn(_) => "none may".into(),
        Gate::MaxAvoidable(most) => format!("at most {most} may"),
    }
}

/// Who did worst, why, and what to change.
fn worst_words(gate: &Gate, Worst { group, diagnosis }: &Worst) -> String {
    let (process, remote) = names(group);
    let who = if remote.is_empty() { process } else { format!("{process} to {remote}") };
    let counts = &group.counts;
    let how = match gate {
        Gate::MinReuse(_) => {
            let requests = plural(counts.exchanges(), "request", "requests");
            format!(", {} of its {requests} reused one", counts.reused)
        }
        Gate::MaxAvoidable(_) => format!(
            ", {} avoidable of {}",
            counts.pool.avoidable().unwrap_or(0),
            plural(counts.pool.asked().unwrap_or(0), "connection", "connections")
        ),
        Gate::FailOn(_) => String::new(),
    };
    match diagnosis {
        Some(diagnosis) => format!(
            " Worst: {who}{how}; {}{}: {}. What to change: {}",
            diagnosis.finding().name(),
            confidence(diagnosis),
            evidence::sentence(&diagnosis.evidence),
            advice::sentence(diagnosis)
        ),
        None => format!(" Worst: {who}{how}; the cause is not known."),
    }
}

fn doubt_words(doubt: &Doubt, conclusion: &Conclusion) -> String {
    let snapshot = conclusion.snapshot;
    match doubt {
        Doubt::NoGround(why) => why.clone(),
        Doubt::NoExchanges => format!("no request was seen ({})", watched(conclusion.about)),
        Doubt::Marked => {
            let why: Vec<String> = inexactness(&snapshot.totals).into_iter().chain(losses(snapshot)).collect();
            format!("the ratio is not exact: {}", why.join("; "))
        }
        Doubt::NotCounted => "avoidable connections are not in the recording, which is an old one".into(),
        Doubt::Unclear { beyond } => format!(
            "{beyond} of the avoidable connections may have been needed, because they had different server names or tunnel \
             targets, or it is not known what they asked"
        ),
        Doubt::Incomplete => match losses(snapshot).as_slice() {
            [] => "there may be more: connections of many processes are in one row".into(),
            losses => format!("there may be more: {}", losses.join("; ")),
        },
    }
}

/// The measure by itself, for a table: `41.7 %`, `9`.
pub(super) fn measure(judged: &Judgement) -> String {
    match judged.measured {
        None => "–".into(),
        Some(Measure::Ratio(ratio)) => percent_below(ratio),
        Some(Measure::Count(count)) => count.to_string(),
    }
}

/// The limit by itself, for a table: `≥ 90 %`, `≤ 3`.
pub(super) fn limit(gate: &Gate) -> String {
    match gate.allowed() {
        Measure::Ratio(least) => format!("≥ {}", percent(least)),
        Measure::Count(most) => format!("≤ {most}"),
    }
}

/// A percentage with the digits that it was given with.
fn percent(share: f64) -> String {
    let text = format!("{:.4}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A percentage with one decimal, rounded down: what is below a limit must not look like the limit.
fn percent_below(share: f64) -> String {
    // Without the addition, 0.29 would be 28.9 %.
    format!("{:.1} %", (share * 1000.0 + 1e-9).floor() / 10.0)
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
