//! A shell on the terminal.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, ExitStatus},
    thread::sleep,
    time::{Duration, Instant},
};

use terminal::{Size, Terminal};

const LIMIT: Duration = Duration::from_mins(2);
const SIZE: Size = Size { columns: 40, rows: 5 };

/// Killed when dropped.
struct Shell(Child);

impl Shell {
    fn start(script: &str) -> (Terminal, Self) {
        let terminal = Terminal::open(SIZE).unwrap();
        let mut command = Command::new("sh");
        terminal.attach(command.args(["-c", script])).unwrap();
        let shell = Self(command.spawn().unwrap());
        (terminal, shell)
    }

    fn end(mut self) -> ExitStatus {
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "the shell does not end");
            sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn assert_shows(terminal: &Terminal, text: &str) {
    terminal.wait(LIMIT, |screen| screen.contents().contains(text)).unwrap_or_else(|error| panic!("{text}: {error}"));
}

#[test]
fn programs_learn_the_size() {
    let (terminal, shell) = Shell::start("trap 'stty size; exit 0' WINCH; stty size; while :; do read x; done");
    assert_shows(&terminal, "5 40");
    terminal.resize(Size { columns: 100, rows: 30 }).unwrap();
    assert_shows(&terminal, "30 100");
    assert!(shell.end().success());
}

#[test]
fn programs_read_keys_and_modes_are_visible() {
    let (terminal, shell) =
        Shell::start("read x; stty -echo -icanon; echo ready; read x; stty echo icanon; echo \"<$x>\"");
    let before = terminal.modes().unwrap();
    assert!(!before.are_raw());
    terminal.send("\n").unwrap();
    assert_shows(&terminal, "ready");
    let during = terminal.modes().unwrap();
    assert!(during.are_raw() && during != before, "{during}");
    terminal.send("typed\n").unwrap();
    assert_shows(&terminal, "<typed>");
    assert!(shell.end().success());
    assert_eq!(terminal.modes().unwrap(), before);
    assert_eq!(terminal.text().trim_start(), "ready\n<typed>");
}

#[test]
fn scrollback_is_kept() {
    let (terminal, shell) = Shell::start("seq 1 100");
    assert!(shell.end().success());
    assert_shows(&terminal, "100");
    assert_eq!(terminal.whole_text(), (1..=100).map(|n| n.to_string()).collect::<Vec<_>>().join("\n"));
}

#[test]
fn programs_block_while_reading_is_stopped() {
    let (terminal, mut shell) = Shell::start("read x; seq 1 100000; echo done");
    terminal.read_no_more();
    terminal.send("\n").unwrap();
    sleep(Duration::from_millis(300));
    assert!(shell.0.try_wait().unwrap().is_none(), "the shell should block");
    terminal.read_on();
    assert_shows(&terminal, "done");
    assert!(shell.end().success());
}

#[test]
fn hang_up_sends_sighup() {
    const SIGHUP: i32 = 1;
    let (mut terminal, shell) = Shell::start("echo ready; sleep 60");
    assert_shows(&terminal, "ready");
    terminal.hang_up();
    assert_eq!(shell.end().signal(), Some(SIGHUP));
}
