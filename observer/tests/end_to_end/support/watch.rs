//! A watch with `-o json`: attached once it exists, ended with Ctrl-C.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use super::{machine::Machine, report::Report, socket_table::await_fins, tool::Process};

/// Starting takes about one second in a debug build, and longer while compilers run.
const START_TIMEOUT: Duration = Duration::from_mins(2);
const EXIT_TIMEOUT: Duration = Duration::from_mins(2);

pub(crate) struct Watch<'a> {
    pub(crate) tool: Process,
    start: String,
    lines: Receiver<String>,
    _machine: &'a Machine,
}

impl<'a> Watch<'a> {
    pub(crate) fn start(machine: &'a Machine, command: &mut Command) -> Self {
        let mut tool = Process::start(command.args(["-o", "json"]).stdin(Stdio::null()).stdout(Stdio::piped()));
        let stdout = BufReader::new(tool.child.stdout.take().expect("the stream is piped"));
        let (sender, lines) = channel();
        // Drains the pipe, which would otherwise fill up.
        thread::spawn(move || {
            for line in stdout.lines() {
                // The receiver is gone if the test has failed.
                let _ = sender.send(line.expect("the output is UTF-8"));
            }
        });
        let start = lines.recv_timeout(START_TIMEOUT).expect("the tool was not attached in time");
        Self { tool, start, lines, _machine: machine }
    }

    /// Ends the watch with SIGINT once the kernel has delivered the FINs of closed connections, and returns its report.
    pub(crate) fn end(mut self) -> Report {
        let start: Value = serde_json::from_str(&self.start).expect("the first line is JSON");
        let ports = start["ports"].as_array().expect("ports is a list");
        // Ranges are left out: their test looks at `open` rows only.
        await_fins(&ports.iter().filter_map(|port| port.as_str()?.parse().ok()).collect::<Vec<_>>());
        self.tool.signal(Signal::INT);
        self.ended()
    }

    /// The report of a watch that ends by itself.
    pub(crate) fn ended(&mut self) -> Report {
        self.ended_with(0)
    }

    /// The same with another exit code.
    pub(crate) fn ended_with(&mut self, code: i32) -> Report {
        let status = self.tool.wait(EXIT_TIMEOUT);
        assert_eq!(status.code(), Some(code), "exit code of the watch");
        Report::read([std::mem::take(&mut self.start)].into_iter().chain(self.lines.iter()))
    }
}
