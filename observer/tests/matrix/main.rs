//! The truth matrix: real clients against a real server that counts connections and the requests on each, over plain
//! HTTP, TLS 1.2 and TLS 1.3. A cell passes if the tool reports the same counts and reports them as exact.
//!
//! This is a custom test runner instead of `#[test]` functions, because the result is a table and one watch covers many
//! cells. Arguments select cells by a part of their name, such as `"Node fetch"` or `"upload 1 B: TLS 1.3"`;
//! `--markdown` prints the table as Markdown.

mod cell;
mod client;
mod curl;
mod judge;
mod mode;
mod programs;
mod runner;
mod server;
mod support;
mod table;

use std::{env, panic, process::ExitCode, time::Instant};

use anyhow::{Result, anyhow};

use cell::Cell;
use client::Http2;
use runner::{Outcome, Outcomes};

fn main() -> ExitCode {
    let start = Instant::now();
    // cargo passes options such as --nocapture to every test program; this runner ignores them.
    let (options, chosen): (Vec<String>, Vec<String>) =
        env::args().skip(1).partition(|argument| argument.starts_with('-'));
    let is_chosen = |cell: &Cell| chosen.is_empty() || chosen.iter().any(|part| cell.name().contains(part.as_str()));
    let cells: Vec<Cell> = cell::all().filter(is_chosen).collect();
    let mut outcomes = Vec::new();
    let mut failures = Vec::new();
    let mut summaries = 0;
    // HTTP/2 cells get a watch of their own: they are inexact, and would make the summary of the others inexact.
    for watch in cells.chunk_by(|a, b| (a.client.http2 == Http2::Chosen) == (b.client.http2 == Http2::Chosen)) {
        summaries += 1;
        match run(watch) {
            Ok(Outcomes { cells, summary }) => {
                outcomes.extend(cells);
                failures.extend((!summary.is_empty()).then(|| format!("summary of the watch: {}", summary.join("; "))));
            }
            Err(error) => failures.push(format!("{} cells: {error:#}", watch.len())),
        }
    }
    table::print(&outcomes, options.iter().any(|option| option == "--markdown"));
    failures.extend(outcomes.iter().filter(|outcome| !outcome.differences.is_empty()).map(describe));
    for failure in &failures {
        println!("\nFAILED {failure}");
    }
    let passed = outcomes.len() + summaries - failures.len();
    let verdict = if failures.is_empty() { "ok" } else { "FAILED" };
    let failed = failures.len();
    println!("\n{} cells in {:.1} s", outcomes.len(), start.elapsed().as_secs_f64());
    println!("\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out");
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A panic fails these cells only.
fn run(cells: &[Cell]) -> Result<Outcomes> {
    panic::catch_unwind(|| runner::run(cells)).unwrap_or_else(|_| Err(anyhow!("see the panic above")))
}

fn describe(outcome: &Outcome) -> String {
    format!("{}\n    {}", outcome.cell.name(), outcome.differences.join("\n    "))
}
