//! Limits that are exceeded, not judged, or kept with a doubt. They are read in the log of a CI job, by people who may not know
//! this program: so each line says what was measured, what it was before, what is allowed, and who did worst.

use super::words::{avoidable, names, percent, ratio};
use crate::{
    comparison::{Comparison, Doubt, GroupId, Judgement, Limit, Numbers, Pair},
    gate::Verdict,
    views::words::plural,
};

/// None for a limit that is kept without a doubt.
pub fn verdict_sentence(comparison: &Comparison, judgement: &Judgement) -> Option<String> {
    let option = option(&judgement.limit);
    let doubt = judgement.doubt.map(doubt_words);
    Some(match (judgement.verdict, doubt) {
        (Verdict::Passed, None) => return None,
        (Verdict::Passed, Some(doubt)) => format!("{option} passed, but {doubt}"),
        (Verdict::Skipped, doubt) => {
            format!(
                "{option} was not judged: {}; {}",
                doubt.unwrap_or_default(),
                measured(comparison, &judgement.limit)
            )
        }
        (Verdict::Failed, None) => {
            format!("{option} failed: {}{}", measured(comparison, &judgement.limit), worst(judgement))
        }
        (Verdict::Failed, Some(doubt)) => {
            format!("{option} failed: {}; {doubt}{}", measured(comparison, &judgement.limit), worst(judgement))
        }
    })
}

/// As on the command line.
fn option(limit: &Limit) -> String {
    let name = limit.name();
    match limit {
        Limit::AvoidableGrowth { allowed, .. } => format!("--{name} {allowed}"),
        Limit::ReuseDrop { allowed, .. } => format!("--{name} {allowed}"),
    }
}

fn doubt_words(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::NotKnown => "a file does not have the number",
        Doubt::NoExchange => "a side has no request, and so no ratio",
        Doubt::CountsMissing => "counts are missing on a side (see the comparison)",
        Doubt::Inexact => "not everything could be counted exactly (≈)",
    }
}

/// What was measured, with the numbers behind it, and what is allowed.
fn measured(comparison: &Comparison, limit: &Limit) -> String {
    let [before, after] = comparison.both_totals();
    match limit {
        Limit::AvoidableGrowth { measured, allowed } => {
            let growth = match measured {
                Some(growth @ 0..) => format!("{growth} more"),
                Some(growth) => format!("{} fewer", growth.unsigned_abs()),
                None => "how many more is not known".into(),
            };
            format!(
                "{} TCP connections were avoidable by keeping connections open, {} before: {growth}, at most {allowed} more are allowed",
                avoidable(after),
                avoidable(before)
            )
        }
        Limit::ReuseDrop { measured, allowed } => {
            let drop = match measured {
                Some(drop) if *drop < 0.0 => format!("{} more", points(-drop)),
                Some(drop) => format!("{} less", points(*drop)),
                None => "how much less is not known".into(),
            };
            format!(
                "{} reused a TCP connection, {} before: {drop}, at most {} are allowed",
                share(after),
                ratio(before),
                points(*allowed)
            )
        }
    }
}

/// Like `0 % of 10 requests`.
fn share(numbers: &Numbers) -> String {
    let requests = numbers.exchanges().map_or_else(|| "the requests".into(), |n| plural(n, "request", "requests"));
    format!("{} of {requests}", ratio(numbers))
}

/// Percent of percentages would be ambiguous.
fn points(share: f64) -> String {
    let percent = percent(share);
    format!("{} percentage points", percent.strip_suffix(" %").unwrap_or(&percent))
}

/// The group that did worst.
fn worst(judgement: &Judgement) -> String {
    let Some((id, Pair { before, after })) = judgement.worst else { return String::new() };
    let of = |numbers: &Numbers| match judgement.limit {
        Limit::AvoidableGrowth { .. } => {
            let opened =
                numbers.opened.map_or_else(String::new, |n| format!(" of {}", plural(n, "connection", "connections")));
            format!("{}{opened} avoidable", avoidable(numbers))
        }
        Limit::ReuseDrop { .. } => share(numbers),
    };
    let now = after.as_ref().map_or_else(|| "not there now".into(), of);
    let then = before.as_ref().map_or_else(|| "not there before".into(), |numbers| format!("{} before", of(numbers)));
    format!(". Worst: {}, {now}, {then}", who(id))
}

/// Like `client to 192.0.2.1:80`.
fn who(id: Option<&GroupId>) -> String {
    let (process, remote) = names(id);
    if remote.is_empty() { process } else { format!("{process} to {remote}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        comparison::Limits,
        views::comparison::fixture::{self, compare},
    };

    /// What is said of both limits, each 0.
    fn sentences(comparison: &Comparison) -> Vec<Option<String>> {
        let limits = Limits { max_avoidable_growth: Some(0), max_reuse_drop: Some(0.0) };
        limits.judge(comparison).iter().map(|judgement| verdict_sentence(comparison, judgement)).collect()
    }

    #[test]
    fn exceeded_limit_names_what_was_measured_what_was_allowed_and_the_worst_group() {
        assert_eq!(sentences(&compare(&fixture::unread(), &fixture::read())), [None, None]);
        assert_eq!(
            sentences(&compare(&fixture::read(), &fixture::unread())),
            [
                "--max-avoidable-growth 0 failed: 9 TCP connections were avoidable by keeping connections open, 0 before: 9 more, at most 0 more are allowed. Worst: client to 127.0.0.1:8080, 9 of 10 connections avoidable, 0 of 1 connection avoidable before",
                "--max-reuse-drop 0 failed: 0 % of 10 requests reused a TCP connection, 90 % before: 90 percentage points less, at most 0 percentage points are allowed. Worst: client to 127.0.0.1:8080, 0 % of 10 requests, 90 % of 10 requests before",
            ]
            .map(|sentence| Some(sentence.into()))
        );
    }

    #[test]
    fn doubts_are_said() {
        let marked = fixture::unread().replace(r#""marked":0"#, r#""marked":10"#);
        let drop = sentences(&compare(&fixture::read(), &marked)).pop().unwrap().unwrap();
        assert!(drop.starts_with("--max-reuse-drop 0 was not judged: not everything could be counted exactly (≈); "));
        assert!(drop.contains("≈0 % of 10 requests reused a TCP connection, 90 % before"), "{drop}");
        let none = sentences(&compare(&fixture::read(), &fixture::summary(""))).pop().unwrap();
        assert_eq!(none.as_deref(), Some("--max-reuse-drop 0 passed, but a side has no request, and so no ratio"));
    }
}
