//! A program that is spoken to line by line, by its standard input and output.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use super::tool::Process;

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Dialogue {
    pub(crate) process: Process,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Dialogue {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut process = Process::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let stdin = process.child.stdin.take();
        let mut stdout = BufReader::new(process.child.stdout.take().expect("the pipe was asked for"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            let mut line = Vec::new();
            while let Ok(1..) = stdout.read_until(b'\n', &mut line) {
                // A test that has failed takes no more lines.
                let _ = sender.send(String::from_utf8_lossy(&line).trim_end().to_owned());
                line.clear();
            }
        });
        Self { process, stdin, lines }
    }

    pub(crate) fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it has not ended");
        writeln!(stdin, "{line}").expect("the program listens");
    }

    /// The next line.
    #[track_caller]
    pub(crate) fn hear(&mut self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("the program says something")
    }

    /// Waits until a line has this in it, and gives the line.
    #[track_caller]
    pub(crate) fn hear_of(&mut self, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        let mut heard = Vec::new();
        loop {
            let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) else {
                panic!("{text:?} was expected, and this was said: {heard:#?}");
            };
            if line.contains(text) {
                return line;
            }
            heard.push(line);
        }
    }

    /// Ends its input, which ends the program.
    #[track_caller]
    pub(crate) fn end(&mut self) {
        drop(self.stdin.take());
        let status = self.process.wait(PATIENCE);
        assert!(status.success(), "it ended with {status}");
    }
}
