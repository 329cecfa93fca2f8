//! A terminal session: the story as a command that the tool runs, once with bodies left unread and once read.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use terminal::{Size, Terminal};

use super::{PORT, STORY, svg};
use crate::support::running::Running;

const SIZE: Size = Size { columns: 104, rows: 36 };

/// What each command is followed by.
const NEXT: &str = "echo $?";

/// Shows each command as it is typed, and its exit code.
const SCRIPT: &str = r#"
shown() { printf '\033[1m$ sudo %s\033[0m\n' "$*"; "$@"; printf '\033[1m$ echo $?\033[0m\n%s\n' $?; }
shown tcp-reuse-watch --min-reuse 80% -- ./client -pause 20ms -url "$1"
shown tcp-reuse-watch --min-reuse 80% -- ./client -pause 20ms -url "$1" -read
"#;

/// Runs the session and draws its screen. `programs`: the folder of the client.
pub(super) fn draw(tool: &Path, programs: &Path) -> Result<String> {
    let terminal = Terminal::open(SIZE)?;
    let mut bash = Command::new("bash");
    let folder = tool.parent().context("the program has no folder")?;
    bash.current_dir(programs).env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
    terminal.attach(bash.args(["-c", SCRIPT, "bash", &format!("http://127.0.0.1:{PORT}")]))?;
    let _bash = Running::start(&mut bash)?;
    terminal.wait(STORY, |screen| {
        let text = screen.contents();
        text.matches(NEXT).count() == 2 && text.trim_end().ends_with(char::is_numeric)
    })?;
    Ok(terminal.look(svg::draw))
}
