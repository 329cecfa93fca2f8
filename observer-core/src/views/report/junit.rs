//! `--report junit=FILE`: a test suite with a test case for each gate, as CI servers read it. JUnit itself has no schema;
//! this is what the Ant task writes and Jenkins, GitLab and others accept.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::{Bad, gates, worst_groups};
use crate::{
    conclusion::Conclusion,
    gate::{Judgement, Verdict},
    printable::printable,
    views::{
        advice, evidence,
        gates::{message, statement, who},
        lines::sentence,
        words::{caveats, command_end, command_line, confidence, plural},
    },
};

const NAME: &str = "tcp-reuse-watch";

pub fn junit(conclusion: &Conclusion) -> String {
    let judged = gates(conclusion);
    let count = |verdict| judged.iter().filter(|judged| judged.verdict == verdict).count();
    // A report without a test case is an error to Jenkins.
    let (tests, skipped) = if judged.is_empty() { (1, 1) } else { (judged.len(), count(Verdict::Skipped)) };
    let numbers = format!(
        "name=\"{NAME}\" tests=\"{tests}\" failures=\"{}\" errors=\"0\" time=\"{:.3}\"",
        count(Verdict::Failed),
        conclusion.snapshot.duration_us as f64 / 1e6
    );
    let began = Timestamp::from_nanosecond(conclusion.about.started_unix_ns.into()).unwrap_or(Timestamp::UNIX_EPOCH);
    let began = began.strftime("%Y-%m-%dT%H:%M:%S");
    // The schema of Jenkins' xUnit plugin allows `skipped` for the suite only.
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites {numbers}>\n  \
         <testsuite {numbers} skipped=\"{skipped}\" timestamp=\"{began}\">\n"
    );
    for judged in judged {
        add_gate(&mut text, judged, conclusion);
    }
    if judged.is_empty() {
        text.push_str(&open_case("no gate"));
        text.push_str(
            ">\n      <skipped message=\"no gate was asked for: add --min-reuse, --max-avoidable or --fail-on\"/>\n    </testcase>\n",
        );
    }
    let _ = writeln!(text, "    <system-out>{}</system-out>", escaped(&in_words(conclusion)));
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

fn add_gate(text: &mut String, judged: &Judgement, conclusion: &Conclusion) {
    text.push_str(&open_case(&judged.gate.to_string()));
    let words = escaped(&message(judged, conclusion).unwrap_or_default());
    match judged.verdict {
        Verdict::Passed if words.is_empty() => text.push_str("/>\n"),
        Verdict::Passed => {
            let _ = writeln!(text, ">\n      <system-out>{words}</system-out>\n    </testcase>");
        }
        Verdict::Skipped => {
            let _ = writeln!(text, ">\n      <skipped message=\"{words}\"/>\n    </testcase>");
        }
        Verdict::Failed => {
            let kind = judged.gate.name();
            let short = escaped(&statement(judged, conclusion).unwrap_or_default());
            let _ = writeln!(
                text,
                ">\n      <failure type=\"{kind}\" message=\"{short}\">{words}</failure>\n    </testcase>"
            );
        }
    }
}

/// The start of a test case, up to the end of its tag.
fn open_case(name: &str) -> String {
    format!("    <testcase classname=\"{NAME}\" name=\"{}\" time=\"0\"", escaped(name))
}

/// The whole watch in a few lines.
fn in_words(conclusion: &Conclusion) -> String {
    let snapshot = conclusion.snapshot;
    let mut lines = vec![sentence(snapshot)];
    if let Some(command) = &conclusion.command {
        lines.push(format!("{} {}", command_line(command), command_end(command)));
    }
    lines.extend(caveats(snapshot));
    let (groups, more) = worst_groups(snapshot);
    lines.extend(groups.iter().map(group_in_words));
    if more > 0 {
        lines.push(format!("{more} more with avoidable connections or a diagnosis"));
    }
    lines.join("\n")
}

fn group_in_words(Bad { group, diagnosis }: &Bad) -> String {
    let counts = &group.counts;
    let avoidable = counts.pool.avoidable().map_or_else(|| "–".into(), |avoidable| avoidable.to_string());
    let why = diagnosis.as_ref().map_or_else(String::new, |diagnosis| {
        let (evidence, advice) = (evidence::sentence(&diagnosis.evidence), advice::sentence(diagnosis));
        format!("; {}{}: {evidence}. {advice}", diagnosis.finding().name(), confidence(diagnosis))
    });
    format!(
        "{}: {}, {} new, {} reused, {avoidable} avoidable{why}",
        who(group),
        plural(counts.exchanges(), "exchange", "exchanges"),
        counts.new,
        counts.reused
    )
}

/// Text for an element or a quoted attribute. XML 1.0 has no way to write most control characters and two that are no
/// characters, so they are shown as Rust writes them; `printable` does that for all of them but the line feed, which stays
/// one.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        for character in printable(line).chars() {
            match character {
                '&' => safe.push_str("&amp;"),
                '<' => safe.push_str("&lt;"),
                '>' => safe.push_str("&gt;"),
                '"' => safe.push_str("&quot;"),
                '\'' => safe.push_str("&apos;"),
                _ => safe.push(character),
            }
        }
        safe.push_str(end);
    }
    safe
}
