//! Prints the matrix: a line for each client and mode, and a column each for plain, TLS 1.2 and TLS 1.3.

use crate::{cell::Transport, client::Http2, runner::Outcome};

type Line = [String; 5];

pub(crate) fn print(outcomes: &[Outcome], markdown: bool) {
    for section in outcomes.chunk_by(|a, b| a.cell.client.http2 == b.cell.client.http2) {
        let title = section[0].cell.client.http2.title();
        println!("\n{}{title}\n", if markdown { "### " } else { "" });
        let lines = lines(section);
        if markdown { print_markdown(&lines) } else { print_padded(&lines) }
    }
}

fn lines(outcomes: &[Outcome]) -> Vec<Line> {
    let [plain, tls12, tls13] = Transport::ALL.map(|transport| transport.name().to_owned());
    let mut lines = vec![["client".into(), "requests".into(), plain, tls12, tls13]];
    let is_same_line =
        |a: &Outcome, b: &Outcome| a.cell.client.name == b.cell.client.name && a.cell.mode == b.cell.mode;
    for line in outcomes.chunk_by(is_same_line) {
        let column =
            |transport| line.iter().find(|outcome| outcome.cell.transport == transport).map_or("-".into(), text);
        let [plain, tls12, tls13] = Transport::ALL.map(column);
        lines.push([line[0].cell.client.name.into(), line[0].cell.mode.name.into(), plain, tls12, tls13]);
    }
    lines
}

/// The server's counts, and the tool's where they differ.
fn text(outcome: &Outcome) -> String {
    let truth = format!("{} req {} conn", outcome.requests, outcome.connections);
    let counts = (outcome.exchanges, outcome.opened) == (outcome.requests, outcome.connections);
    if outcome.differences.is_empty() {
        format!("{truth} ✓")
    } else if counts || outcome.cell.client.http2 == Http2::Chosen {
        format!("{truth} ≠")
    } else {
        format!("{truth} ≠ {} on {}", outcome.exchanges, outcome.opened)
    }
}

fn print_padded(lines: &[Line]) {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    for line in lines {
        let padded: Vec<String> =
            line.iter().enumerate().map(|(column, text)| format!("{text:0$}", width(column))).collect();
        println!("{}", padded.join("  ").trim_end());
    }
}

fn print_markdown(lines: &[Line]) {
    for (n, line) in lines.iter().enumerate() {
        println!("| {} |", line.join(" | "));
        if n == 0 {
            println!("|---|---|---|---|---|");
        }
    }
}
