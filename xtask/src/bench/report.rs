//! The report. The last results of each part are kept in the target folder, and docs/BENCHMARKS.md is made from them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::Part;
use crate::support::packages;
use crate::support::workspace::{Workspace, output};

/// The document keeps everything after this line, which is written by hand.
const BY_HAND: &str = "<!-- what follows is written by hand, and kept -->";

/// A budget, and whether it was met.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Verdict {
    pub(super) budget: String,
    pub(super) measured: String,
    pub(super) is_met: bool,
}

impl Verdict {
    pub(super) fn new(budget: impl Into<String>, measured: impl Into<String>, is_met: bool) -> Self {
        Self { budget: budget.into(), measured: measured.into(), is_met }
    }
}

/// The results of one part.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Section {
    /// Markdown
    pub(super) text: String,
    pub(super) verdicts: Vec<Verdict>,
    /// Day and commit
    when: String,
    /// The machine, its kernel, and the versions of the alternatives
    machine: String,
}

impl Section {
    pub(super) fn paragraph(&mut self, text: &str) {
        self.text += text;
        self.text += "\n\n";
    }

    /// Adds a table. The first row is its head.
    pub(super) fn table(&mut self, rows: &[Vec<String>]) {
        for (n, row) in rows.iter().enumerate() {
            self.text += "| ";
            self.text += &row.join(" | ");
            self.text += " |\n";
            if n == 0 {
                self.text += "|";
                self.text += &"---|".repeat(row.len());
                self.text += "\n";
            }
        }
        self.text.push('\n');
    }

    pub(super) fn verdict(&mut self, verdict: Verdict) {
        self.verdicts.push(verdict);
    }

    /// The section as it is printed after the measurement.
    pub(super) fn to_text(&self) -> String {
        let verdicts = self.verdicts.iter().map(|Verdict { budget, measured, is_met }| {
            format!("{}: {budget}: {measured}", if *is_met { "met" } else { "MISSED" })
        });
        format!("{}{}", self.text, verdicts.collect::<Vec<_>>().join("\n"))
    }

    /// Saves the section for the document.
    pub(super) fn save(mut self, workspace: &Workspace, part: Part) -> Result<()> {
        (self.when, self.machine) = (when(workspace)?, machine()?);
        let path = saved(workspace, part);
        fs::create_dir_all(path.parent().context("the file has no folder")?)?;
        fs::write(&path, serde_json::to_vec_pretty(&self)?).with_context(|| format!("cannot write {}", path.display()))
    }
}

fn saved(workspace: &Workspace, part: Part) -> PathBuf {
    workspace.target.join(format!("bench/{}.json", part.name()))
}

/// Writes the document from the last results of each part.
pub(super) fn write(workspace: &Workspace) -> Result<PathBuf> {
    let mut sections = Vec::new();
    for part in Part::ALL {
        if let Ok(text) = fs::read(saved(workspace, part)) {
            sections.push((part, serde_json::from_slice::<Section>(&text)?));
        }
    }
    let path = workspace.root.join("docs/BENCHMARKS.md");
    let before = fs::read_to_string(&path).unwrap_or_default();
    let by_hand = before.split_once(BY_HAND).map_or("\n", |(_, kept)| kept);
    fs::write(&path, format!("{}{BY_HAND}{by_hand}", document(&sections)))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn document(sections: &[(Part, Section)]) -> String {
    let mut text = String::from(
        "# Benchmarks\n\nWritten by `cargo xtask bench`, which measures the tool and comparable tools on the same \
         work in the same run. Runs with and without a tool are interleaved; numbers are medians, with the middle half \
         of the runs in brackets. Machines differ: measure on yours.\n\n",
    );
    let mut machines: Vec<&str> = sections.iter().map(|(_, section)| section.machine.as_str()).collect();
    machines.dedup();
    text += &machines.join("\n\n");
    text += "\n\n## Budgets\n\n| budget | measured | |\n|---|---|---|\n";
    for Verdict { budget, measured, is_met } in sections.iter().flat_map(|(_, section)| &section.verdicts) {
        let said = if *is_met { "met" } else { "**missed**" };
        text += &["| ", budget, " | ", measured, " | ", said, " |\n"].concat();
    }
    text.push('\n');
    for (part, section) in sections {
        text += &["## ", part.title(), "\n\n", &section.when, "\n\n", &section.text].concat();
    }
    text
}

fn when(workspace: &Workspace) -> Result<String> {
    let date = output(Command::new("date").args(["-u", "+%F %H:%M UTC"]))?;
    let commit = output(Command::new("git").current_dir(&workspace.root).args(["describe", "--always", "--dirty"]));
    let commit = commit.map_or_else(|_| "unknown sources".into(), |commit| commit.trim().to_owned());
    Ok(format!("Measured on {}, at {commit}.", date.trim()))
}

fn machine() -> Result<String> {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.trim().strip_prefix(':'));
    let meminfo = fs::read_to_string("/proc/meminfo")?;
    let kib = meminfo.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0);
    let versions = packages::FOR_BENCH.iter().filter_map(|name| Some(format!("{name} {}", packages::version(name)?)));
    Ok(format!(
        "Machine: {} × {}, {} GiB, Linux {}; {}.",
        thread::available_parallelism()?,
        model.map_or("unknown", str::trim),
        kib.div_ceil(1024 * 1024),
        kernel.trim(),
        versions.collect::<Vec<_>>().join(", ")
    ))
}
