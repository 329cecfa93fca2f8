//! The terminal goes away: its window is closed, or its connection breaks.

use std::{fs, path::Path, process::Command, time::Duration};

use serde_json::{Value, json};
use tempfile::tempdir;
use terminal::{Terminal, vt100::Screen};

use crate::support::{
    contract,
    dashboard::{SIZE, has_text},
    machine::Machine,
    peer::{Peer, visit},
    programs::program,
    report::assert_fields,
    tool::{PROGRAM, Process},
};

const LIMIT: Duration = Duration::from_mins(2);

/// The same watch as a user's who has closed the window, and as that of one who had used nohup.
fn commands(arguments: &str) -> [(&'static str, Command); 2] {
    let mut heeds = Command::new(PROGRAM);
    heeds.args(arguments.split_whitespace());
    let mut ignores = program("sh", "dash");
    ignores.args(["-c", r#"trap "" HUP; exec "$0" "$@""#, PROGRAM]).args(arguments.split_whitespace());
    [("heeds SIGHUP", heeds), ("ignores SIGHUP", ignores)]
}

/// Closes the terminal under a watch that shows `start`, and expects its summary in the file.
fn hang_up(output: &str, start: impl Fn(&Screen) -> bool + Copy) {
    let _machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let peer = Peer::echo();
    for (n, (name, mut command)) in (1..).zip(commands(&format!("-p {} -o {output}", peer.port()))) {
        let file = folder.path().join(n.to_string());
        let mut terminal = Terminal::open(SIZE).expect("cannot open a terminal");
        terminal.attach(&mut command).expect("cannot attach the terminal");
        let mut watch = Process::start(command.arg("--summary").arg(&file));
        terminal.wait(LIMIT, start).unwrap_or_else(|error| panic!("{name}: {error}"));
        visit(&peer, 3);
        peer.wait_for(3 * n);
        terminal.hang_up();
        let status = watch.wait(LIMIT);
        assert!(status.code().is_some(), "{name}: the watch should end by itself: {status}");
        assert_fields(&summary(&file)["totals"], &json!({ "opened": 3, "closed": 3, "exchanges": 3 }));
    }
}

fn summary(file: &Path) -> Value {
    let text = fs::read_to_string(file).expect("cannot read the summary");
    let summary = serde_json::from_str(&text).expect("the summary is JSON");
    contract::check_summary(&summary);
    summary
}

#[test]
fn dashboard_without_its_terminal_ends_with_a_summary() {
    hang_up("tui", |screen| screen.alternate_screen() && has_text(screen, "quit"));
}

#[test]
fn lines_without_their_terminal_end_with_a_summary() {
    hang_up("lines", |screen| has_text(screen, "watching port"));
}

#[test]
fn json_without_its_terminal_ends_with_a_summary() {
    hang_up("json", |screen| has_text(screen, r#""type":"start""#));
}
