//! A program that the test talks to line by line, through standard input and output.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use super::tool::Process;

const TIMEOUT: Duration = Duration::from_mins(2);

pub(crate) struct Dialogue {
    pub(crate) process: Process,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Dialogue {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut process = Process::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let stdin = process.child.stdin.take();
        let mut stdout = BufReader::new(process.child.stdout.take().expect("the stream is piped"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            let mut line = Vec::new();
            while let Ok(1..) = stdout.read_until(b'\n', &mut line) {
                // The receiver is gone if the test has failed.
                let _ = sender.send(String::from_utf8_lossy(&line).trim_end().to_owned());
                line.clear();
            }
        });
        Self { process, stdin, lines }
    }

    pub(crate) fn send_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is still open");
        writeln!(stdin, "{line}").expect("cannot write to the program");
    }

    /// Returns the next line.
    #[track_caller]
    pub(crate) fn next_line(&mut self) -> String {
        self.lines.recv_timeout(TIMEOUT).expect("the program wrote no line")
    }

    /// Waits for a line that contains this text, and returns it.
    #[track_caller]
    pub(crate) fn wait_for_line(&mut self, text: &str) -> String {
        let end = Instant::now() + TIMEOUT;
        let mut heard = Vec::new();
        loop {
            let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) else {
                panic!("expected {text:?}, but the program wrote {heard:#?}");
            };
            if line.contains(text) {
                return line;
            }
            heard.push(line);
        }
    }

    /// Closes the program's standard input, which makes it exit.
    #[track_caller]
    pub(crate) fn end(&mut self) {
        drop(self.stdin.take());
        let status = self.process.wait(TIMEOUT);
        assert!(status.success(), "the program ended with {status}");
    }
}
