//! Selection between dashboard and lines, and the dashboard's colours and characters.

use std::{process::Stdio, time::Duration};

use rustix::process::Signal;
use terminal::{
    Terminal,
    vt100::{Color, Screen},
};

use super::{fetch, server};
use crate::support::{
    dashboard::{Dashboard, SIZE, header},
    machine::Machine,
    tool::{self, Process, RunOutput},
};

/// Starting takes about one second in a debug build, and longer while compilers run.
const START_TIMEOUT: Duration = Duration::from_mins(2);

/// The number of cells with colours other than the terminal's default.
fn colors(screen: &Screen) -> usize {
    let (rows, columns) = screen.size();
    let cells = (0..rows.get()).flat_map(|row| (0..columns.get()).map(move |column| (row, column)));
    let is_colored = |(row, column): &(u16, u16)| {
        let cell = screen.cell(*row, *column).expect("the cell is on the screen");
        cell.fgcolor() != Color::Default || cell.bgcolor() != Color::Default
    };
    cells.filter(is_colored).count()
}

#[test]
fn no_color_disables_colors() {
    let _machine = Machine::shared();
    let server = server();
    for (variables, is_colored) in [(&[][..], true), (&[("NO_COLOR", "1")], false), (&[("NO_COLOR", "")], true)] {
        let mut dashboard = Dashboard::start_at(SIZE, &format!("-p {}", server.port), variables);
        fetch(&server, "");
        dashboard.assert_shows(&[&header(10, 0, "0.0 %"), "response-not-read"]);
        assert_eq!(dashboard.terminal.look(colors) > 0, is_colored, "{variables:?}");
        dashboard.quit();
    }
}

#[test]
fn colors_stay_within_the_basic_sixteen() {
    let _machine = Machine::shared();
    let server = server();
    let mut dashboard = Dashboard::start_at(SIZE, &format!("-p {}", server.port), &[("TERM", "xterm")]);
    fetch(&server, "");
    dashboard.assert_shows(&[&header(10, 0, "0.0 %"), "response-not-read"]);
    let most = dashboard.terminal.look(|screen| {
        let index = |color| match color {
            Color::Default => 0,
            Color::Idx(index) => u16::from(index),
            Color::Rgb(..) => u16::MAX,
        };
        let cells = (0..SIZE.rows).flat_map(|row| (0..SIZE.columns).map(move |column| screen.cell(row, column)));
        cells.flatten().map(|cell| index(cell.fgcolor()).max(index(cell.bgcolor()))).max()
    });
    assert!(most < Some(16), "colour {most:?}");
    dashboard.quit();
}

#[test]
fn c_locale_gets_ascii() {
    let _machine = Machine::shared();
    let server = server();
    let mut dashboard = Dashboard::start_at(SIZE, &format!("-p {}", server.port), &[("LANG", "C")]);
    fetch(&server, "");
    dashboard.assert_shows(&[&header(10, 0, "0.0 %"), "response-not-read"]);
    let text = dashboard.terminal.text();
    assert!(text.is_ascii(), "{text}");
    dashboard.quit();
}

/// Asserts that the watch writes lines. The check runs during the watch, because a dashboard also writes lines at its
/// end.
fn assert_lines(terminal: &Terminal, tool: &mut Process) {
    terminal
        .wait(START_TIMEOUT, |screen| screen.contents().starts_with("watching port 1 "))
        .unwrap_or_else(|error| panic!("lines: {error}"));
    assert!(tool.has_ended().is_none(), "the watch should continue");
    assert!(!terminal.modes().expect("cannot access the terminal modes").are_raw());
    tool.signal(Signal::TERM);
    assert_eq!(tool.wait(START_TIMEOUT).code(), Some(0));
}

#[test]
fn dumb_terminal_gets_lines() {
    let _machine = Machine::shared();
    let mut dashboard = Dashboard::run(SIZE, tool::command("-p 1"), &[("TERM", "dumb")]);
    assert_lines(&dashboard.terminal, &mut dashboard.tool);
}

#[test]
fn standard_input_without_a_terminal_gets_lines() {
    let _machine = Machine::shared();
    let terminal = Terminal::open(SIZE).expect("cannot open a terminal");
    let mut command = tool::command("-p 1");
    terminal.attach(&mut command).expect("cannot attach the terminal");
    let mut tool = Process::start(command.stdin(Stdio::null()));
    assert_lines(&terminal, &mut tool);
}

#[test]
fn dashboard_without_a_terminal_is_refused() {
    let ended = RunOutput::run(&mut tool::command("-p 1 -o tui --duration 1s"));
    ended.assert_code(2);
    assert!(ended.stderr.contains("tui") && ended.stderr.contains("terminal"), "{ended:#?}");
    assert_eq!(ended.stdout, "");
}

#[test]
fn dashboard_refuses_the_exchanges_option() {
    let mut dashboard = Dashboard::run(SIZE, tool::command("-p 1 -o tui --exchanges"), &[]);
    assert_eq!(dashboard.wait_for_exit().code(), Some(2));
    dashboard.assert_shows(&["--exchanges"]);
    dashboard.assert_modes_as_before();
}

#[test]
fn log_lines_appear_after_the_dashboard() {
    let _machine = Machine::shared();
    let mut dashboard = Dashboard::start("-p 1 -v");
    assert!(!dashboard.terminal.text().contains("attached sockops"), "{}", dashboard.terminal.text());
    let text = dashboard.quit();
    assert!(text.contains("attached sockops,tracepoint after "), "{text}");
}

#[test]
fn failed_recording_is_reported_again_after_the_dashboard() {
    let _machine = Machine::shared();
    let mut dashboard = Dashboard::start("-p 1 --record /dev/full");
    // Opens the log as wide as the screen.
    dashboard.press("\t\tw");
    dashboard.assert_shows(&["/dev/full cannot be written"]);
    let text = dashboard.quit();
    assert!(text.contains(" notice /dev/full cannot be written any more"), "{text}");
}
