//! However the dashboard ends, stops or is disturbed, it restores the terminal and reports what it counted.

use std::{fs, thread::sleep, time::Duration};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::tempdir;
use terminal::{Size, Terminal, vt100};

use super::{fetch, server, unwrapped};
use crate::support::{
    contract,
    dashboard::{Dashboard, SIZE, has_text, header},
    eventually,
    machine::Machine,
    peer::{Peer, visit},
    report::assert_fields,
    tool,
};

/// A way to end the dashboard.
type End = fn(&Dashboard);

#[test]
fn every_way_to_end_restores_the_terminal() {
    let _machine = Machine::shared();
    let ends: [(&str, &str, End); 6] = [
        ("q", "", |dashboard| dashboard.press("q")),
        ("Ctrl-C", "", |dashboard| dashboard.press("\u{3}")),
        ("SIGTERM", "", |dashboard| dashboard.signal(Signal::TERM)),
        ("SIGINT", "", |dashboard| dashboard.signal(Signal::INT)),
        ("SIGHUP", "", |dashboard| dashboard.signal(Signal::HUP)),
        ("--duration", "--duration 3s", |_| {}),
    ];
    for (name, options, end) in ends {
        let peer = Peer::echo();
        let mut dashboard = Dashboard::start(&format!("-p {} {options}", peer.port()));
        visit(&peer, 3);
        dashboard.assert_shows(&[&header(3, 0, "0.0 %")]);
        end(&dashboard);
        let text = dashboard.assert_restored();
        let sentence = format!("3 exchanges to 127.0.0.1:{}: 3 on new connections, 0 reused; ", peer.port());
        let is_last = text.trim_end().ends_with(" avoidable)");
        assert!(unwrapped(&text).contains(&sentence) && is_last, "{name}: {text}");
    }
}

/// Reads the summary file, and checks it against the contract.
fn summary(file: &std::path::Path) -> Value {
    let text = fs::read_to_string(file).expect("cannot read the file");
    let summary = serde_json::from_str(&text).expect("the summary is JSON");
    contract::check_summary(&summary);
    summary
}

#[test]
fn hangup_ends_the_watch_and_writes_the_summary_file() {
    let _machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let file = folder.path().join("summary");
    let peer = Peer::echo();
    let mut dashboard = Dashboard::start(&format!("-p {} --summary {}", peer.port(), file.display()));
    visit(&peer, 3);
    dashboard.assert_shows(&[&header(3, 0, "0.0 %")]);
    dashboard.terminal.hang_up();
    let status = dashboard.wait_for_exit();
    assert!(status.code().is_some(), "the tool should exit by itself: {status}");
    assert_fields(&summary(&file)["totals"], &json!({ "opened": 3, "exchanges": 3, "new": 3 }));
}

#[test]
fn unread_terminal_blocks_neither_counting_nor_the_end() {
    let _machine = Machine::shared();
    let folder = tempdir().expect("cannot create a directory");
    let file = folder.path().join("summary");
    let peer = Peer::echo();
    let arguments = format!("-p {} -v --summary {}", peer.port(), file.display());
    let mut dashboard = Dashboard::start_at(Size { columns: 300, rows: 100 }, &arguments, &[]);
    dashboard.terminal.read_no_more();
    // Each round draws a whole screen; together that is far more than the terminal buffers.
    for _ in 0..30 {
        visit(&peer, 10);
        dashboard.press("w");
        sleep(Duration::from_millis(110));
    }
    dashboard.signal(Signal::TERM);
    let status = dashboard.wait_for_exit();
    assert_eq!(status.code(), Some(1), "exit code when the summary cannot be shown");
    assert_fields(&summary(&file)["totals"], &json!({ "opened": 300, "exchanges": 300, "new": 300 }));
    dashboard.assert_modes_as_before();
}

/// The process state, from /proc.
fn state(pid: u32) -> char {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is running");
    let (_, rest) = stat.rsplit_once(") ").expect("a state follows the name");
    rest.chars().next().expect("the state is a letter")
}

/// The children of a single-threaded process.
fn children(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().map(|pid| pid.parse().expect("the children are pids")).collect()
}

#[test]
fn shell_job_control_stops_and_continues_the_dashboard() {
    let _machine = Machine::shared();
    let peer = Peer::echo();
    // Debian's sh does not change the terminal's modes when a job stops.
    let terminal = Terminal::open(SIZE).expect("cannot open a terminal");
    let mut command = std::process::Command::new("dash");
    command.arg("-i").env("PS1", "prompt> ").env_remove("ENV");
    terminal.attach(&mut command).expect("cannot attach the terminal");
    let shell = tool::Process::start(&mut command);
    let shows = |what: &str| {
        terminal
            .wait(Duration::from_mins(2), |screen| has_text(screen, what))
            .unwrap_or_else(|error| panic!("{what}: {error}"));
    };
    shows("prompt>");
    let before = terminal.modes().expect("cannot access the terminal modes");
    terminal.send(&format!("{} -p {}\n", tool::PROGRAM, peer.port())).expect("cannot send keys");
    shows("quit");
    let [tool] = children(shell.id())[..] else { panic!("expected one child of the shell") };
    for (round, stop) in [("\u{1a}", None), ("", Some(Signal::TSTP))].into_iter().enumerate() {
        visit(&peer, 2);
        let (keys, signal) = stop;
        terminal.send(keys).expect("cannot send keys");
        if let Some(signal) = signal {
            let pid = rustix::process::Pid::from_raw(tool.cast_signed()).expect("a pid is positive");
            rustix::process::kill_process(pid, signal).expect("cannot signal the tool");
        }
        eventually("the tool is stopped", || state(tool) == 'T');
        terminal
            .wait(Duration::from_mins(2), |screen| !screen.alternate_screen() && !screen.hide_cursor())
            .unwrap_or_else(|error| panic!("stopped: {error}"));
        assert_eq!(terminal.modes().expect("cannot access the terminal modes"), before, "terminal modes while stopped");
        // Counting continues while the dashboard is stopped.
        visit(&peer, 2);
        terminal.send("fg\n").expect("cannot send keys");
        shows(&header(4 * (round as u64 + 1), 0, "0.0 %"));
        assert!(terminal.look(vt100::Screen::alternate_screen), "the dashboard uses the alternate screen again");
        assert!(terminal.modes().expect("cannot access the terminal modes").are_raw());
    }
    terminal.send("q").expect("cannot send keys");
    // Keys typed before the shell is in the foreground may go to the dashboard.
    shows(" avoidable)\nprompt>");
    terminal.send("echo ended $?\n").expect("cannot send keys");
    shows("ended 0");
    assert_eq!(terminal.modes().expect("cannot access the terminal modes"), before);
}

#[test]
fn dashboard_recovers_from_sigstop_and_foreign_output() {
    let _machine = Machine::shared();
    let peer = Peer::echo();
    let mut dashboard = Dashboard::start(&format!("-p {}", peer.port()));
    visit(&peer, 2);
    dashboard.assert_shows(&[&header(2, 0, "0.0 %")]);
    dashboard.signal(Signal::STOP);
    eventually("the tool is stopped", || state(dashboard.tool.id()) == 'T');
    // The shell restores its modes, leaves the alternate screen and writes text.
    dashboard.restore_modes();
    dashboard.write_as_other_program("\x1b[?1049l\x1b[?25h\x1b[Hthe words of a shell");
    visit(&peer, 2);
    dashboard.signal(Signal::CONT);
    dashboard.assert_shows(&[&header(4, 0, "0.0 %")]);
    let is_whole = |screen: &vt100::Screen| screen.alternate_screen() && screen.hide_cursor();
    assert!(dashboard.terminal.look(is_whole) && !dashboard.terminal.text().contains("the words of a shell"));
    assert!(dashboard.terminal.modes().expect("cannot access the terminal modes").are_raw());
    // Ctrl-L repairs the screen after another program has written to it.
    dashboard.write_as_other_program("\x1b[H\x1b[2Jthe words of another");
    dashboard.assert_shows(&["the words of another"]);
    dashboard.press("\u{c}");
    dashboard.assert_no_longer_shows("the words of another");
    dashboard.assert_shows(&[&header(4, 0, "0.0 %"), "DESTINATION", "quit"]);
    dashboard.quit();
}

#[test]
fn any_terminal_size_is_handled_at_any_time() {
    let _machine = Machine::shared();
    let server = server();
    let mut dashboard = Dashboard::start(&format!("-p {}", server.port));
    fetch(&server, "");
    dashboard.assert_shows(&[&header(10, 0, "0.0 %")]);
    for (columns, rows) in
        [(60, 15), (1, 1), (2, 40), (300, 100), (200, 1), (7, 3), (59, 14), (20, 60), (300, 2), (0, 0), (80, 24)]
    {
        dashboard.terminal.resize(Size { columns, rows }).expect("cannot resize the terminal");
        dashboard.press("\t");
        sleep(Duration::from_millis(120));
        assert!(dashboard.tool.has_ended().is_none(), "at {columns}x{rows}");
    }
    // Resizes faster than the dashboard can draw.
    for n in 0..200 {
        let size = Size { columns: 1 + n * 37 % 150, rows: 1 + n * 13 % 60 };
        dashboard.terminal.resize(size).expect("cannot resize the terminal");
    }
    dashboard.terminal.resize(SIZE).expect("cannot resize the terminal");
    dashboard.assert_shows(&[&header(10, 0, "0.0 %"), "quit"]);
    // The last line of the screen is used again.
    dashboard.wait("the footer", Duration::from_mins(2), |screen| {
        screen.rows(0, SIZE.columns).last().is_some_and(|footer| footer.contains("quit"))
    });
    dashboard.quit();
}

#[test]
fn terminal_of_size_zero_is_handled() {
    let _machine = Machine::shared();
    let peer = Peer::echo();
    let arguments = format!("-p {}", peer.port());
    // Serial lines have no size until one is set.
    let mut dashboard = Dashboard::run(Size { columns: 0, rows: 0 }, tool::command(&arguments), &[]);
    dashboard.wait("the dashboard", Duration::from_mins(2), vt100::Screen::alternate_screen);
    visit(&peer, 2);
    dashboard.terminal.resize(SIZE).expect("cannot resize the terminal");
    dashboard.assert_shows(&[&header(2, 0, "0.0 %")]);
    dashboard.quit();
}

#[test]
fn escape_sequences_in_a_process_name_do_not_reach_the_screen() {
    const CONNECT: &str = r"
import socket, sys
open('/proc/self/comm', 'w').write('\x1b[2J\x1b[31mx\x07')
with socket.create_connection(('127.0.0.1', int(sys.argv[1]))) as peer:
    peer.sendall(b'GET / HTTP/1.1\r\n\r\n')
    peer.recv(18, socket.MSG_WAITALL)
";
    let _machine = Machine::shared();
    let peer = Peer::echo();
    let mut dashboard = Dashboard::start(&format!("-p {}", peer.port()));
    let mut python = crate::support::programs::program("/usr/bin/python3", "python3");
    crate::support::programs::output_of(python.args(["-I", "-c", CONNECT, &peer.port().to_string()]));
    dashboard.assert_shows(&[&header(1, 0, "0.0 %"), r"\u{1b}[2J"]);
    // The screen was not cleared, and the borders are intact.
    let text = dashboard.terminal.text();
    assert!(text.contains("quit") && text.contains("Groups 1"), "{text}");
    let text = dashboard.quit();
    assert!(text.contains(r"\u{1b}[2J"), "the summary escapes it too: {text}");
}
