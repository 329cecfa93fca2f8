//! A command in a terminal: Ctrl-C reaches it once, and the summary stays.

use std::time::Duration;

use super::with_command;
use crate::support::{
    dashboard::{Dashboard, SIZE, has_text},
    machine::Machine,
};

const LIMIT: Duration = Duration::from_mins(2);

#[test]
fn interrupt_ends_the_command_once_and_leaves_the_summary() {
    let _machine = Machine::shared();
    let script = "trap 'echo interrupted' INT; echo ready; read line; echo read-$line; exit 9";
    let mut session = Dashboard::run(SIZE, with_command("", &["bash", "-c", script]), &[]);
    session.wait("the command", LIMIT, |screen| has_text(screen, "ready"));
    session.terminal.send("\u{3}").expect("cannot type");
    session.wait("the signal", LIMIT, |screen| has_text(screen, "interrupted"));
    // The command goes on, and has the terminal's input.
    session.terminal.send("on\n").expect("cannot type");
    assert_eq!(session.tool.wait(LIMIT).code(), Some(9));
    session.wait("the summary", LIMIT, |screen| has_text(screen, "ended with exit code 9"));
    let text = session.terminal.whole_text();
    assert!(text.contains("read-on") && text.contains("no connections"), "{text}");
    assert_eq!(text.lines().filter(|line| line.ends_with("interrupted")).count(), 1, "{text}");
}

#[test]
fn second_interrupt_ends_the_watch_of_a_command_that_goes_on() {
    let _machine = Machine::shared();
    let script = "trap 'echo not-yet' INT; echo ready; while :; do sleep 0.05; done";
    let mut session = Dashboard::run(SIZE, with_command("--linger 10m", &["bash", "-c", script]), &[]);
    session.wait("the command", LIMIT, |screen| has_text(screen, "ready"));
    session.terminal.send("\u{3}").expect("cannot type");
    session.wait("the first signal", LIMIT, |screen| has_text(screen, "not-yet"));
    session.terminal.send("\u{3}").expect("cannot type");
    assert_eq!(session.tool.wait(LIMIT).code(), Some(1));
    session.wait("the summary", LIMIT, |screen| has_text(screen, "did not end when it was told to"));
}
