//! `cargo bench`: what one row, one sample, one frame take in user space.

use anyhow::Result;

use super::Scope;
use super::report::Section;
use crate::support::workspace::{Workspace, output};

pub(super) fn measure(scope: Scope) -> Result<Section> {
    let seconds = scope.of(3, 1).to_string();
    let mut cargo = Workspace::find()?.cargo();
    cargo.args(["bench", "--quiet", "--locked", "--package", "tcp-reuse-watch", "--bench", "micro", "--"]);
    let said = output(cargo.args(["--color", "never", "--max-time", &seconds]))?;
    let mut section = Section::default();
    section.paragraph(
        "The pure parts by themselves: 200 rows at a time (items), and so many groups. `arrange` is what the dashboard does with a \
         snapshot, `draw` a frame of 160 × 48.",
    );
    section.paragraph(&format!("```text\n{}\n```", said.trim()));
    Ok(section)
}
