//! Limits that are exceeded, or not judged: a sentence for the log of a CI job, whose reader may never have heard of this
//! program.

use super::words::{group, percent};
use crate::{
    comparison::{Comparison, Doubt, Limit, Numbers, Outcome, Pair, Verdict},
    views::words::{approximately, plural},
};

/// None for a limit that is certainly kept.
pub fn verdict_sentence(comparison: &Comparison, verdict: &Verdict) -> Option<String> {
    let name = verdict.limit.name();
    let measured = measured(comparison, &verdict.limit);
    match (verdict.outcome, verdict.doubt) {
        (Outcome::Passed, None) => None,
        (Outcome::Failed, _) => Some(format!("{measured}{}", worst(verdict))),
        (Outcome::Passed, Some(doubt)) => Some(format!("{name} passed, but {}: {measured}", why(doubt))),
        (Outcome::Skipped, Some(doubt)) => Some(format!("{name} was not judged, because {}: {measured}", why(doubt))),
        (Outcome::Skipped, None) => Some(format!("{name} was not judged: {measured}")),
    }
}

fn why(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::NotKnown => "a file does not have the number",
        Doubt::NoExchange => "one side has no request to judge by",
        Doubt::CountsMissing => "a file is cut, or has lost counts",
        Doubt::Inexact => "not everything could be counted exactly (≈)",
    }
}

fn measured(comparison: &Comparison, limit: &Limit) -> String {
    let [before, after] = comparison.both_totals();
    match limit {
        Limit::AvoidableGrowth { measured, allowed } => {
            let n = |numbers: &Numbers| avoidable(numbers.avoidable, numbers.is_avoidable_exact);
            let growth = measured.map_or_else(
                || "an unknown number more".into(),
                |growth| format!("{} {}", growth.unsigned_abs(), if growth < 0 { "fewer" } else { "more" }),
            );
            format!(
                "needless TCP connections (keeping open ones would have saved them): {} before, {} now: {growth}, {allowed} more allowed by {}",
                n(before),
                n(after),
                limit.name()
            )
        }
        Limit::ReuseDrop { measured, allowed } => {
            let drop = measured.map_or_else(
                || "an unknown share less".into(),
                |drop| format!("{} {}", points(drop.abs()), if drop < 0.0 { "more" } else { "less" }),
            );
            format!(
                "requests sent on an already open TCP connection: {} before, {} now: {drop}, {} less allowed by {}",
                ratio(before),
                ratio(after),
                points(*allowed),
                limit.name()
            )
        }
    }
}

/// Percent of percentages would be ambiguous.
fn points(share: f64) -> String {
    let percent = percent(share);
    format!("{} percentage points", percent.strip_suffix(" %").unwrap_or(&percent))
}

fn avoidable(number: Option<u64>, is_exact: bool) -> String {
    number.map_or_else(|| "not known".into(), |number| format!("{}{number}", approximately(is_exact)))
}

fn ratio(numbers: &Numbers) -> String {
    let ratio = numbers.reuse().ratio();
    ratio.map_or_else(|| "no ratio".into(), |ratio| format!("{}{}", approximately(numbers.is_exact), percent(ratio)))
}

fn worst(verdict: &Verdict) -> String {
    let Some((id, pair)) = verdict.worst else { return String::new() };
    format!("; worst: {}, {}", group(id), change(&verdict.limit, pair))
}

fn change(limit: &Limit, pair: &Pair) -> String {
    let of = |side: &Option<Numbers>, when: &str| match (side, limit) {
        (None, _) => format!("not there {when}"),
        (Some(numbers), Limit::AvoidableGrowth { .. }) => {
            format!("{} {when}", avoidable(numbers.avoidable, numbers.is_avoidable_exact))
        }
        (Some(numbers), Limit::ReuseDrop { .. }) => format!("{} {when}", ratio(numbers)),
    };
    let exchanges = pair.after.as_ref().and_then(Numbers::exchanges);
    let requests = exchanges.map_or_else(String::new, |n| format!(" ({})", plural(n, "request", "requests")));
    format!("{}, {}{requests}", of(&pair.before, "before"), of(&pair.after, "now"))
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
        limits.judge(comparison).iter().map(|verdict| verdict_sentence(comparison, verdict)).collect()
    }

    #[test]
    fn exceeded_limit_names_what_was_measured_what_was_allowed_and_the_worst_group() {
        assert_eq!(sentences(&compare(&fixture::unread(), &fixture::read())), [None, None]);
        assert_eq!(
            sentences(&compare(&fixture::read(), &fixture::unread())),
            [
                "needless TCP connections (keeping open ones would have saved them): 0 before, 9 now: 9 more, 0 more allowed by --max-avoidable-growth; worst: client → 127.0.0.1:8080, 0 before, 9 now (10 requests)",
                "requests sent on an already open TCP connection: 90 % before, 0 % now: 90 percentage points less, 0 percentage points less allowed by --max-reuse-drop; worst: client → 127.0.0.1:8080, 90 % before, 0 % now (10 requests)",
            ]
            .map(|sentence| Some(sentence.into()))
        );
    }

    #[test]
    fn doubts_are_said() {
        let marked = fixture::unread().replace(r#""marked":0"#, r#""marked":10"#);
        let sentences = sentences(&compare(&fixture::read(), &marked));
        let drop = sentences[1].as_ref().unwrap();
        assert!(
            drop.starts_with("--max-reuse-drop was not judged, because not everything could be counted exactly (≈): ")
        );
        assert!(drop.contains("90 % before, ≈0 % now"), "{drop}");
    }
}
