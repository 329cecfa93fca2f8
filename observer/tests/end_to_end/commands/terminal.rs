//! A command in a terminal: Ctrl-C reaches it once, and the summary stays.

use std::{thread::sleep, time::Duration};

use super::with_command;
use crate::support::{
    dashboard::{Dashboard, SIZE, has_text},
    eventually,
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
    let code = session.tool.wait(LIMIT).code();
    assert_eq!(code, Some(9), "{}", session.terminal.whole_text());
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
    // More than one, because two that arrive before the watch takes notice of the first are one signal.
    let mut status = None;
    eventually("the watch has ended", || {
        session.terminal.send("\u{3}").expect("cannot type");
        sleep(Duration::from_millis(200));
        status = session.tool.has_ended();
        status.is_some()
    });
    assert_eq!(status.and_then(|status| status.code()), Some(1), "{}", session.terminal.whole_text());
    session.wait("the summary", LIMIT, |screen| has_text(screen, "did not end when it was told to"));
}
