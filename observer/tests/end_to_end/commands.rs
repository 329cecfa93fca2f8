//! `-- CMD`: who is watched, how it ends, and as whom it runs.

mod ends;
mod identity;
mod processes;
mod terminal;
mod unwatched;

use std::{fs, process::Command};

use serde_json::Value;
use tempfile::tempdir;

use crate::support::{
    report::Report,
    tool::{self, RunOutput},
};

/// A command that has ended, and what the watch says of it.
struct Ended {
    output: RunOutput,
    summary: Value,
}

impl Ended {
    #[track_caller]
    fn assert_code(&self, code: i32) {
        self.output.assert_code(code);
    }

    fn total(&self, name: &str) -> u64 {
        self.summary["totals"][name].as_u64().unwrap_or_else(|| panic!("{name} is no number: {:#}", self.summary))
    }
}

/// The tool with these arguments, separated by spaces, and this command.
fn with_command(arguments: &str, argv: &[&str]) -> Command {
    let mut command = tool::command(arguments);
    command.arg("--").args(argv);
    command
}

/// Runs a command to its end.
fn run(arguments: &str, argv: &[&str]) -> Ended {
    let folder = tempdir().expect("cannot create a directory");
    let file = folder.path().join("summary.json");
    let mut command = with_command(&format!("{arguments} --summary {}", file.display()), argv);
    let output = RunOutput::run(&mut command);
    let summary = fs::read_to_string(&file).expect("there is a summary");
    Ended { output, summary: serde_json::from_str(&summary).expect("the summary is JSON") }
}

/// Runs a command to its end, with rows.
fn report(arguments: &str, argv: &[&str]) -> Report {
    let output = RunOutput::run(&mut with_command(&format!("-o json {arguments}"), argv));
    output.assert_code(0);
    Report::read(output.stderr.lines().filter(|line| line.starts_with('{')).map(str::to_owned))
}
