//! `--report markdown=FILE`: GitHub Flavored Markdown for the summary page of a CI job.

use std::fmt::Write as _;

use super::{Bad, gates, worst_groups};
use crate::{
    conclusion::Conclusion,
    gate::Worst,
    printable::printable,
    views::{
        advice, evidence,
        gates::{limit, measure, statement, verdict, who},
        lines::sentence,
        words::{approximately, caveats, command_end, command_line, confidence, names, ratio},
    },
};

pub fn markdown(conclusion: &Conclusion) -> String {
    let snapshot = conclusion.snapshot;
    let mut text = format!("## tcp-reuse-watch: {}\n\n{}.\n", title(conclusion), escaped(&sentence(snapshot)));
    if let Some(command) = &conclusion.command {
        let _ = writeln!(text, "\n{} {}.", code(&command_line(command)), escaped(&command_end(command)));
    }
    add_gates(&mut text, conclusion);
    add_groups(&mut text, conclusion);
    let caveats = caveats(snapshot);
    if !caveats.is_empty() {
        text.push('\n');
    }
    for caveat in caveats {
        let _ = writeln!(text, "- {}", escaped(&caveat));
    }
    text
}

fn title(conclusion: &Conclusion) -> String {
    let totals = &conclusion.snapshot.totals;
    match &conclusion.gates {
        Some(judged) => verdict(judged),
        None if totals.exchanges() == 0 => "no requests".into(),
        None => format!("{}{} of requests reused a connection", approximately(totals.is_exact()), ratio(totals)),
    }
}

fn add_gates(text: &mut String, conclusion: &Conclusion) {
    let judged = gates(conclusion);
    if judged.is_empty() {
        return;
    }
    text.push_str("\n| gate | measured | allowed | result |\n|---|---:|---:|---|\n");
    for judged in judged {
        let gate = code(&judged.gate.to_string());
        let result = match judged.verdict.name() {
            "failed" => "**failed**",
            other => other,
        };
        let _ = writeln!(text, "| {gate} | {} | {} | {result} |", measure(judged), limit(&judged.gate));
    }
    let statements: Vec<(String, Option<&Worst>)> =
        judged.iter().filter_map(|judged| Some((statement(judged, conclusion)?, judged.worst.as_deref()))).collect();
    if !statements.is_empty() {
        text.push('\n');
    }
    for (statement, worst) in statements {
        // The table below says why.
        let worst = worst.map_or_else(String::new, |worst| format!(" Worst: {}.", code(&who(&worst.group))));
        let _ = writeln!(text, "- {}.{worst}", escaped(&statement));
    }
}

fn add_groups(text: &mut String, conclusion: &Conclusion) {
    let (groups, more) = worst_groups(conclusion.snapshot);
    if groups.is_empty() {
        return;
    }
    text.push_str(
        "\n### Where connections were not reused\n\n\
         | process | destination | exchanges | new | reused | avoidable | cause | why, and what to change |\n\
         |---|---|---:|---:|---:|---:|---|---|\n",
    );
    for group in &groups {
        add_group(text, conclusion, group);
    }
    if more > 0 {
        let _ = writeln!(text, "\n{more} more with avoidable connections or a diagnosis.");
    }
}

fn add_group(text: &mut String, conclusion: &Conclusion, Bad { group, diagnosis }: &Bad) {
    let (process, remote) = names(group);
    let remote = if remote.is_empty() { String::new() } else { code(&remote) };
    let counts = &group.counts;
    let mark = approximately(counts.is_exact());
    let avoidable = counts.pool.avoidable().map_or_else(
        || "–".into(),
        |avoidable| format!("{}{avoidable}", approximately(conclusion.snapshot.is_exact_pool(&counts.pool))),
    );
    let (cause, why) = match diagnosis {
        Some(diagnosis) => (
            format!("{}{}", code(diagnosis.finding().name()), confidence(diagnosis)),
            escaped(&format!("{}. {}", evidence::sentence(&diagnosis.evidence), advice::sentence(diagnosis))),
        ),
        None => ("not known".into(), String::new()),
    };
    let _ = writeln!(
        text,
        "| {} | {remote} | {mark}{} | {mark}{} | {mark}{} | {avoidable} | {cause} | {why} |",
        code(&process),
        counts.exchanges(),
        counts.new,
        counts.reused
    );
}

/// Text in which no character means anything to Markdown or HTML, on one line.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in printable(text).chars() {
        if "\\`*_{}[]<>|~&#$@!".contains(character) {
            safe.push('\\');
        }
        safe.push(character);
    }
    // GitHub makes links of these.
    safe.replace("://", ":\\//").replace("www.", "www\\.")
}

/// A span of code: nothing in it is markup, a link or a mention. Where backquotes cannot quote it, because it has some, or
/// would end the cell of a table, it is HTML.
fn code(text: &str) -> String {
    let text = printable(text);
    if !text.is_empty() && !text.starts_with(' ') && !text.ends_with(' ') && !text.contains(['`', '|', '\\']) {
        return format!("`{text}`");
    }
    let mut html = String::from("<code>");
    for character in text.chars() {
        if character.is_ascii_punctuation() {
            let _ = write!(html, "&#{};", u32::from(character));
        } else {
            html.push(character);
        }
    }
    html.push_str("</code>");
    html
}
