//! The tool on a pseudo-terminal, as a user sees it.

use std::{
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use terminal::{Modes, Size, Terminal, vt100::Screen};

use super::tool::{self, Process};

/// Starting takes about one second in a debug build, and longer while compilers run.
const START_TIMEOUT: Duration = Duration::from_mins(2);
/// Counters are read once a second, and the netstat panel every other second.
const SHOW_TIMEOUT: Duration = Duration::from_mins(2);
const EXIT_TIMEOUT: Duration = Duration::from_mins(2);

/// Too low for large digits, so the numbers are shown as text.
pub(crate) const SIZE: Size = Size { columns: 100, rows: 30 };

pub(crate) struct Dashboard {
    pub(crate) terminal: Terminal,
    pub(crate) tool: Process,
    /// The terminal's modes before the tool was started.
    before: Modes,
}

impl Dashboard {
    /// Starts the tool, and returns once the dashboard is on the screen.
    pub(crate) fn start(arguments: &str) -> Self {
        Self::start_at(SIZE, arguments, &[])
    }

    pub(crate) fn start_at(size: Size, arguments: &str, variables: &[(&str, &str)]) -> Self {
        Self::start_command(size, tool::command(arguments), variables)
    }

    pub(crate) fn start_command(size: Size, command: Command, variables: &[(&str, &str)]) -> Self {
        let dashboard = Self::run(size, command, variables);
        dashboard.wait("the dashboard", START_TIMEOUT, |screen| screen.alternate_screen() && has_text(screen, "quit"));
        assert!(dashboard.terminal.modes().expect("cannot access the terminal modes").are_raw());
        dashboard
    }

    /// Only starts the tool, because it may fail before it shows anything.
    pub(crate) fn run(size: Size, mut command: Command, variables: &[(&str, &str)]) -> Self {
        let terminal = Terminal::open(size).expect("cannot open a terminal");
        terminal.attach(&mut command).expect("cannot attach the terminal");
        command.envs(variables.iter().copied());
        let before = terminal.modes().expect("cannot access the terminal modes");
        let tool = Process::start(&mut command);
        Self { terminal, tool, before }
    }

    #[track_caller]
    pub(crate) fn wait(&self, what: &str, limit: Duration, is_there: impl FnMut(&Screen) -> bool) -> Instant {
        self.terminal.wait(limit, is_there).unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Waits until all of these texts are on the screen.
    #[track_caller]
    pub(crate) fn assert_shows(&self, texts: &[&str]) {
        self.wait(&format!("{texts:?}"), SHOW_TIMEOUT, |screen| {
            let contents = screen.contents();
            texts.iter().all(|text| contents.contains(text))
        });
    }

    #[track_caller]
    pub(crate) fn assert_no_longer_shows(&self, text: &str) {
        self.wait(&format!("no {text:?}"), SHOW_TIMEOUT, |screen| !screen.contents().contains(text));
    }

    pub(crate) fn press(&self, keys: &str) {
        self.terminal.send(keys).expect("cannot send keys");
    }

    #[track_caller]
    pub(crate) fn wait_for_exit(&mut self) -> ExitStatus {
        self.tool.wait(EXIT_TIMEOUT)
    }

    /// Asserts that the tool has exited with success and restored the terminal. Returns the text on the terminal,
    /// including the summary.
    #[track_caller]
    pub(crate) fn assert_restored(&mut self) -> String {
        assert_eq!(self.wait_for_exit().code(), Some(0));
        // The last output may still be in transit.
        self.wait("the normal screen", SHOW_TIMEOUT, |screen| !screen.alternate_screen() && !screen.hide_cursor());
        assert_eq!(self.terminal.modes().expect("cannot access the terminal modes"), self.before);
        self.terminal.whole_text()
    }

    #[track_caller]
    pub(crate) fn assert_modes_as_before(&self) {
        assert_eq!(self.terminal.modes().expect("cannot access the terminal modes"), self.before);
    }

    /// Restores the terminal's modes, as a shell does when a job stops.
    pub(crate) fn restore_modes(&self) {
        self.terminal.set_modes(&self.before).expect("cannot access the terminal modes");
    }

    /// Writes to the terminal as another program would.
    pub(crate) fn write_as_other_program(&self, text: &str) {
        self.terminal.write(text).expect("cannot write to the terminal");
    }

    /// Ends the watch as a user does.
    #[track_caller]
    pub(crate) fn quit(&mut self) -> String {
        self.press("q");
        self.assert_restored()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.tool.signal(signal);
    }
}

pub(crate) fn has_text(screen: &Screen, text: &str) -> bool {
    screen.contents().contains(text)
}

/// The numbers as the header shows them.
pub(crate) fn header(new: u64, reused: u64, ratio: &str) -> String {
    format!("NEW {new}  REUSED {reused}  RATIO {ratio}")
}
