//! `--output`: what to show on standard output, and whether that is possible.

use std::{
    env,
    io::{self, IsTerminal as _},
};

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Interactive dashboard
    Tui,
    /// One line for each connection, and a table at the end
    Lines,
    /// One JSON object for each connection, and a summary object at the end
    Json,
    /// Only the table at the end
    Summary,
    /// No output
    None,
}

impl Output {
    /// Rejects a dashboard without a suitable terminal.
    pub(super) fn check(output: Option<Self>) -> Result<(), String> {
        match obstacle() {
            Some(obstacle) if output == Some(Self::Tui) => {
                Err(format!("-o tui needs a terminal, but {obstacle}; use -o lines or -o json"))
            }
            _ => Ok(()),
        }
    }

    /// The given output. By default the dashboard on a terminal, or lines elsewhere and with `exchanges`. A command has the
    /// terminal for itself.
    pub(super) fn resolve(output: Option<Self>, exchanges: bool, has_command: bool) -> Self {
        output.unwrap_or_else(|| match (exchanges, has_command) {
            (false, true) => Self::Summary,
            (false, false) if obstacle().is_none() => Self::Tui,
            _ => Self::Lines,
        })
    }
}

/// Why the dashboard cannot run here.
fn obstacle() -> Option<&'static str> {
    match env::var("TERM").as_deref() {
        _ if !io::stdin().is_terminal() => Some("standard input is not one"),
        _ if !io::stdout().is_terminal() => Some("standard output is not one"),
        Err(_) | Ok("" | "dumb") => Some("TERM names none that is capable"),
        Ok(_) => None,
    }
}
