//! `cargo bench`: the time of one row, one sample and one frame in user space.

use anyhow::Result;

use super::Scope;
use super::report::Section;
use crate::support::workspace::{Workspace, output};

pub(super) fn measure(scope: Scope) -> Result<Section> {
    let seconds = scope.of(3, 1).to_string();
    let mut cargo = Workspace::find()?.cargo();
    cargo.args(["bench", "--quiet", "--locked", "--package", "tcp-reuse-watch-core", "--bench", "micro", "--"]);
    let printed = output(cargo.args(["--color", "never", "--max-time", &seconds]))?;
    let mut section = Section::default();
    section.paragraph(
        "The pure parts in isolation, with 200 rows at a time (items) or the given number of groups. `arrange` \
         prepares a snapshot for the dashboard, `draw` renders a frame of 160 × 48.",
    );
    section.paragraph(&format!("```text\n{}\n```", printed.trim()));
    Ok(section)
}
