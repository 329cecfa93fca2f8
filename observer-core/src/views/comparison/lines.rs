//! A comparison for people: a table, warnings and a sentence.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::{
    warnings::warnings,
    words::{COLUMNS, causes, group, names, sentence, side},
};
use crate::{
    comparison::{Comparison, GroupId, Pair},
    views::wrap::push_hanging,
};

/// Maximum number of groups in the table, as in the summary of a watch.
const MAX_TABLE_ROWS: usize = 30;

type Row<'a> = (Option<&'a GroupId>, &'a Pair);

/// Text of at most `width` columns, unless a name is longer. What fits in the width is in the table: otherwise causes go below
/// it, and long names on lines of their own.
pub fn comparison_lines(comparison: &Comparison, width: usize) -> String {
    let mut text = String::new();
    push(&mut text, &format!("before  {}", side(&comparison.before)), 8, width);
    push(&mut text, &format!("after   {}", side(&comparison.after)), 8, width);
    text.push('\n');
    let shown = comparison.groups.len().min(MAX_TABLE_ROWS);
    let rows: Vec<Row> = comparison.groups[..shown].iter().map(|(id, pair)| (id.as_ref(), pair)).collect();
    if !rows.is_empty() {
        let fits = |table: &[String]| table.iter().all(|line| textwrap::core::display_width(line) <= width);
        let tables = [table(comparison, &rows, true, true), table(comparison, &rows, true, false)];
        let [whole, without_causes] = tables.map(|table| lines_of(&table));
        let has_causes = fits(&whole);
        if has_causes {
            push_lines(&mut text, &whole);
        } else if fits(&without_causes) {
            push_lines(&mut text, &without_causes);
        } else {
            push_with_names_above(&mut text, comparison, &rows);
        }
        if !has_causes {
            push_causes(&mut text, &rows, width);
        }
        if comparison.groups.len() > shown {
            let _ = writeln!(text, "({} more groups, in -o json)", comparison.groups.len() - shown);
        }
        text.push('\n');
    }
    for warning in warnings(comparison) {
        push(&mut text, &warning, 2, width);
    }
    push(&mut text, &sentence(comparison), 2, width);
    text
}

/// A row for each group and one for the totals.
fn table(comparison: &Comparison, rows: &[Row], has_names: bool, has_causes: bool) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    let name_columns: &[&str] = if has_names { &["PROCESS", "REMOTE"] } else { &[] };
    let cause_columns: &[&str] = if has_causes { &["CAUSES"] } else { &[] };
    let titles = COLUMNS.map(|column| column.title.to_uppercase());
    let numbers = titles.iter().map(String::as_str);
    table.set_header(name_columns.iter().copied().chain(numbers).chain(cause_columns.iter().copied()));
    let mut add = |names: [String; 2], pair: &Pair| {
        let names = names.into_iter().filter(|_| has_names);
        let causes = has_causes.then(|| causes(pair));
        table.add_row(names.chain(COLUMNS.map(|column| column.cell(pair))).chain(causes));
    };
    for (id, pair) in rows {
        let (process, remote) = names(*id);
        add([process, remote], pair);
    }
    if comparison.groups.len() > 1 {
        add(["total".into(), String::new()], &comparison.totals);
    }
    let first_number = name_columns.len();
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if index > 0 || !has_names { 2 } else { 0 }, 0));
        if (first_number..first_number + COLUMNS.len()).contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn lines_of(table: &Table) -> Vec<String> {
    table.to_string().lines().map(|line| line.trim_end().to_owned()).collect()
}

fn push_lines(text: &mut String, lines: &[String]) {
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
}

fn push_with_names_above(text: &mut String, comparison: &Comparison, rows: &[Row]) {
    let lines = lines_of(&table(comparison, rows, false, false));
    let names = rows.iter().map(|(id, _)| group(*id)).chain(["total".into()]);
    let mut lines = lines.iter();
    push_lines(text, lines.next().map(std::slice::from_ref).unwrap_or_default());
    for (line, name) in lines.zip(names) {
        let _ = writeln!(text, "{name}\n{line}");
    }
}

fn push_causes(text: &mut String, rows: &[Row], width: usize) {
    let mut is_first = true;
    for (id, pair) in rows {
        let causes = causes(pair);
        if causes.is_empty() {
            continue;
        }
        if std::mem::take(&mut is_first) {
            text.push('\n');
        }
        push(text, &format!("{} closed: {causes}", group(*id)), 2, width);
    }
}

/// Appends wrapped text. Numbers on both sides of an arrow stay on one line.
fn push(text: &mut String, words: &str, indent: usize, width: usize) {
    const NO_BREAK_SPACE: &str = "\u{a0}";
    let glued = words.replace(" → ", &format!("{NO_BREAK_SPACE}→{NO_BREAK_SPACE}"));
    let mut wrapped = String::new();
    push_hanging(&mut wrapped, &glued.replace(" %", &format!("{NO_BREAK_SPACE}%")), indent, width);
    text.push_str(&wrapped.replace(NO_BREAK_SPACE, " "));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::comparison::fixture::{self, compare};

    #[test]
    fn story_is_told_in_80_columns() {
        let text = comparison_lines(&compare(&fixture::unread(), &fixture::read()), 80);
        assert_eq!(
            text,
            "\
before  before.json (summary of 1.2 s, Linux 6.1.0, tcp-reuse-watch 0.1.0)
after   after.json (summary of 1.2 s, Linux 6.1.0, tcp-reuse-watch 0.1.0)

PROCESS  REMOTE          OPENED  EXCHANGES       RATIO  AVOIDABLE
client   127.0.0.1:8080  10 → 1    10 → 10  0 % → 90 %      9 → 0

client → 127.0.0.1:8080 closed: unread-response 10 → 0, closed-after-response
  0 → 1

avoidable connections 9 → 0, reuse 0 % → 90 %
"
        );
    }

    #[test]
    fn causes_are_in_the_table_where_there_is_room() {
        let text = comparison_lines(&compare(&fixture::unread(), &fixture::read()), 140);
        let row = "client   127.0.0.1:8080  10 → 1    10 → 10  0 % → 90 %      9 → 0  unread-response 10 → 0, closed-after-response 0 → 1";
        assert!(text.lines().any(|line| line == row), "{text}");
    }

    #[test]
    fn long_names_are_on_lines_of_their_own() {
        let address = "2001:db8:1111:2222:3333:4444:5555:6666";
        let [before, after] = [fixture::unread(), fixture::read()].map(|text| text.replace("127.0.0.1", address));
        let text = comparison_lines(&compare(&before, &after), 80);
        let rows = format!("\nclient → [{address}]:8080\n  10 → 1    10 → 10  0 % → 90 %      9 → 0\n");
        assert!(text.contains(&rows), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn equal_sides_have_no_differences() {
        let text = comparison_lines(&compare(&fixture::unread(), &fixture::unread()), 80);
        assert!(text.ends_with("\nno differences: avoidable connections 9 → 9, reuse 0 % → 0 %\n"), "{text}");
    }

    #[test]
    fn marked_and_unknown_numbers_are_told() {
        let marked = fixture::unread().replace(r#""marked":0"#, r#""marked":10"#);
        let old = r#"{"type":"summary","groups":[{"process":"client","remote":"127.0.0.1","port":8080,"opened":3}]}"#;
        let text = comparison_lines(&compare(&marked, old), 80);
        for words in [
            "≈10 → not known",
            "≈0 % → not known",
            "9 → not known",
            "not known after: exchanges, avoidable connections, causes (its file does not",
            "after may not be complete",
            "≈ marks a number",
            "unread-response 10 → not known",
            "reuse ≈0 % → not known",
            "(summary of unknown length, Linux not known, tcp-reuse-watch",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }

    #[test]
    fn hostile_names_are_escaped() {
        let hostile =
            |text: String| text.replace("client", r"a|b\u001b[2J\u202e\n").replace("unread-response", r"x\u0007");
        let mut comparison = compare(&hostile(fixture::unread()), &hostile(fixture::read()));
        comparison.before.file = "\u{1b}]0;x\u{7}".into();
        comparison.before.cut = Some("\u{1b}[2J".into());
        for width in [1, 80, 300] {
            let text = comparison_lines(&comparison, width);
            let is_harmless = |character: char| character == '\n' || !character.is_control() && character != '\u{202e}';
            assert!(text.chars().all(is_harmless), "{text}");
        }
    }

    #[test]
    fn many_groups_are_cut_in_the_table() {
        let group = |port| fixture::unread_group().replace("8080", &format!("{port}"));
        let groups: Vec<String> = (1..=40).map(group).collect();
        let text = comparison_lines(&compare(&fixture::summary(&groups.join(",")), &fixture::read()), 80);
        assert!(text.contains("(11 more groups, in -o json)"), "{text}");
        assert!(text.contains("total"), "{text}");
        assert!(text.contains("avoidable connections 360 → 0, reuse 0 % → 90 %"), "{text}");
        assert!(text.contains("not the same load: 400 exchanges before, 10 after"), "{text}");
        assert!(text.contains(" and 30 more"), "{text}");
    }
}
