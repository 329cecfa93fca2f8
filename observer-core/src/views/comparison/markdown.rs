//! A comparison as Markdown, fit for a CI job's summary page. Tables are those of GitHub Flavored Markdown.

use std::fmt::Write as _;

use super::{
    warnings::warnings,
    words::{COLUMNS, causes, names, sentence, side},
};
use crate::comparison::{Comparison, Pair};

/// Maximum number of groups in the table: the summary page of a job at GitHub takes 1 MiB.
const MAX_TABLE_ROWS: usize = 100;

pub fn comparison_markdown(comparison: &Comparison) -> String {
    let mut text = format!("**{}**\n", escaped(&sentence(comparison)));
    if !comparison.groups.is_empty() {
        let titles = COLUMNS.map(|column| column.title).join(" | ");
        let _ = writeln!(text, "\n| process | remote | {titles} | causes |");
        let _ = writeln!(text, "|---|---|{}---|", "--:|".repeat(COLUMNS.len()));
        let shown = comparison.groups.len().min(MAX_TABLE_ROWS);
        for (id, pair) in &comparison.groups[..shown] {
            let (process, remote) = names(id.as_ref());
            push_row(&mut text, &process, &remote, pair);
        }
        if comparison.groups.len() > 1 {
            push_row(&mut text, "total", "", &comparison.totals);
        }
        if comparison.groups.len() > shown {
            let _ = writeln!(text, "\n{} more groups, in `-o json`", comparison.groups.len() - shown);
        }
    }
    text.push('\n');
    for (name, of) in [("before", &comparison.before), ("after", &comparison.after)] {
        let _ = writeln!(text, "- {name}: {}", escaped(&side(of)));
    }
    for warning in warnings(comparison) {
        let _ = writeln!(text, "- {}", escaped(&warning));
    }
    text
}

fn push_row(text: &mut String, process: &str, remote: &str, pair: &Pair) {
    let cells = COLUMNS.map(|column| column.cell(pair));
    let cells = [process, remote].into_iter().map(escaped).chain(cells).chain([escaped(&causes(pair))]);
    for cell in cells {
        let _ = write!(text, "| {cell} ");
    }
    text.push_str("|\n");
}

/// Escapes what Markdown would take for markup. Any ASCII punctuation may be escaped (CommonMark 0.31, 2.4).
fn escaped(text: &str) -> String {
    const PLAIN: &str = "-,%()";
    let mut escaped = String::with_capacity(text.len());
    let mut is_number_before = false;
    for character in text.chars() {
        // A dot or a colon between digits is no link: `127.0.0.1:8080` stays readable as it is.
        let is_plain = PLAIN.contains(character) || is_number_before && ".:".contains(character);
        if character.is_ascii_punctuation() && !is_plain {
            escaped.push('\\');
        }
        escaped.push(character);
        is_number_before = character.is_ascii_digit();
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::comparison::fixture::{self, compare};

    #[test]
    fn story_is_a_table() {
        let text = comparison_markdown(&compare(&fixture::unread(), &fixture::read()));
        assert_eq!(
            text,
            "\
**avoidable connections 9 → 0, reuse 0 % → 90 %**

| process | remote | opened | exchanges | ratio | avoidable | causes |
|---|---|--:|--:|--:|--:|---|
| client | 127.0.0.1:8080 | 10 → 1 | 10 → 10 | 0 % → 90 % | 9 → 0 | unread-response 10 → 0, closed-after-response 0 → 1 |

- before: before\\.json (summary of 1.2 s, Linux 6.1.0, tcp-reuse-watch 0.1.0)
- after: after\\.json (summary of 1.2 s, Linux 6.1.0, tcp-reuse-watch 0.1.0)
"
        );
    }

    #[test]
    fn table_is_bounded() {
        let groups: Vec<String> =
            (1..=150).map(|port| fixture::unread_group().replace("8080", &format!("{port}"))).collect();
        let text = comparison_markdown(&compare(&fixture::summary(&groups.join(",")), &fixture::read()));
        assert!(text.contains("\n\n51 more groups, in `-o json`\n"), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("| client |")).count(), 100);
        assert!(text.contains("| total |"), "{text}");
    }

    #[test]
    fn names_are_no_markup() {
        assert_eq!(escaped("a|b`<b>*_[x](y)"), r"a\|b\`\<b\>\*\_\[x\](y)");
        assert_eq!(escaped("http://x.y www.x &amp; \\"), r"http\:\/\/x\.y www\.x \&amp\; \\");
        assert_eq!(escaped("[::1]:80 10.0.0.1:80"), r"\[\:\:1\]\:80 10.0.0.1:80");
    }
}
