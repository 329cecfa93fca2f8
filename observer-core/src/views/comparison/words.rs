//! Numbers of both sides, and names, as text.

use std::{cmp::Reverse, collections::BTreeSet};

use crate::{
    comparison::{Comparison, FileKind, GroupId, Numbers, Pair, Reuse, Side},
    printable::printable,
    views::words::{approximately, short_time},
};

/// For a group that is not on a side, and for the ratio of no exchange.
const NOTHING: &str = "–";

pub(super) const NOT_KNOWN: &str = "not known";

/// A column of the table: a number of a group, on either side.
pub(super) struct Column {
    pub(super) title: &'static str,
    text: fn(&Numbers) -> String,
}

pub(super) const COLUMNS: [Column; 4] = [
    Column { title: "opened", text: |numbers| number(numbers.opened, true) },
    Column { title: "exchanges", text: |numbers| number(numbers.exchanges(), numbers.is_exact) },
    Column { title: "ratio", text: ratio },
    Column { title: "avoidable", text: avoidable },
];

impl Column {
    /// Like `9 → 0`.
    pub(super) fn cell(&self, pair: &Pair) -> String {
        let of = |side: &Option<Numbers>| side.as_ref().map_or_else(|| NOTHING.into(), self.text);
        format!("{} → {}", of(&pair.before), of(&pair.after))
    }
}

fn number(number: Option<u64>, is_exact: bool) -> String {
    number.map_or_else(|| NOT_KNOWN.into(), |number| format!("{}{number}", approximately(is_exact)))
}

pub(super) fn avoidable(numbers: &Numbers) -> String {
    number(numbers.avoidable, numbers.is_avoidable_exact)
}

pub(super) fn ratio(numbers: &Numbers) -> String {
    match numbers.reuse() {
        Reuse::NotKnown => NOT_KNOWN.into(),
        Reuse::NoExchange => NOTHING.into(),
        Reuse::Ratio(ratio) => format!("{}{}", approximately(numbers.is_exact), percent(ratio)),
    }
}

/// Like `90 %` or `33.3 %`.
pub(super) fn percent(ratio: f64) -> String {
    let text = format!("{:.1}", ratio * 100.0);
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

/// How many connections ended by each cause: those that have changed most come first.
pub(super) fn causes(pair: &Pair) -> String {
    let causes = |side: &Option<Numbers>| side.as_ref().map(|numbers| numbers.causes.clone());
    let sides = [causes(&pair.before), causes(&pair.after)];
    let names: BTreeSet<&String> = sides.iter().flatten().flatten().flat_map(|causes| causes.keys()).collect();
    let counts =
        |name: &String| sides.each_ref().map(|side| Some(side.as_ref()?.as_ref()?.get(name).copied().unwrap_or(0)));
    let mut changes: Vec<_> = names.into_iter().map(|name| (name, counts(name))).collect();
    changes.sort_by_key(|(_, [before, after])| Reverse(before.unwrap_or(0).abs_diff(after.unwrap_or(0))));
    let texts = changes.into_iter().map(|(name, counts)| {
        let of = |side: usize| match (counts[side], &sides[side]) {
            (Some(n), _) => n.to_string(),
            (None, Some(_)) => NOT_KNOWN.into(),
            (None, None) => NOTHING.into(),
        };
        format!("{} {} → {}", printable(name), of(0), of(1))
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// The process and the destination.
pub(super) fn names(id: Option<&GroupId>) -> (String, String) {
    id.map_or_else(
        || ("(others)".into(), String::new()),
        |id| (id.process.as_deref().map_or_else(|| "?".into(), printable), printable(&id.remote().to_string())),
    )
}

/// Like `client → 127.0.0.1:8080`.
pub(super) fn group(id: Option<&GroupId>) -> String {
    let (process, remote) = names(id);
    if remote.is_empty() { process } else { format!("{process} → {remote}") }
}

/// What all the numbers say, in one line.
pub(super) fn sentence(comparison: &Comparison) -> String {
    let [before, after] = comparison.both_totals();
    let numbers = format!(
        "avoidable connections {} → {}, reuse {} → {}",
        avoidable(before),
        avoidable(after),
        ratio(before),
        ratio(after)
    );
    if comparison.has_differences() { numbers } else { format!("no differences: {numbers}") }
}

/// What a side is.
pub(super) fn side(side: &Side) -> String {
    let kind = match side.kind {
        FileKind::Recording => "recording",
        FileKind::Summary => "summary",
    };
    let summary = &side.summary;
    let duration = summary.duration_us.map_or_else(|| "unknown length".into(), short_time);
    let of = |what: &str, value: &Option<String>| match value {
        Some(value) => format!("{what} {}", printable(value)),
        None => format!("{what} {NOT_KNOWN}"),
    };
    let (kernel, version) = (of("Linux", &summary.kernel), of("tcp-reuse-watch", &summary.version));
    format!("{} ({kind} of {duration}, {kernel}, {version})", printable(&side.file))
}
