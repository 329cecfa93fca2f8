//! The program under test, with `-o json`: attached when a watch is there, ended by Ctrl-C, never left behind.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{peer::PORTS, report::Report};

/// Emulated processors are slow.
const TO_START: Duration = Duration::from_mins(1);
const TO_END: Duration = Duration::from_secs(30);

pub(crate) struct Watch {
    tool: Child,
    lines: Receiver<String>,
}

impl Watch {
    pub(crate) fn start(hooks: &str, options: &[&str]) -> Result<Self> {
        let program = env::var_os("TCP_REUSE_WATCH").unwrap_or_else(|| env!("CARGO_BIN_EXE_tcp-reuse-watch").into());
        let mut command = Command::new(&program);
        command.args(["-o", "json", "--hooks", hooks, "--port", &format!("{}-{}", PORTS.0, PORTS.1)]).args(options);
        let mut tool = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let stdout = BufReader::new(tool.stdout.take().context("the tool has no output")?);
        let (sender, lines) = channel();
        let watch = Self { tool, lines };
        // A pipe that nobody reads would fill.
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let start = watch.lines.recv_timeout(TO_START).context("the tool does not say that it is attached")?;
        let start: Value = serde_json::from_str(&start).with_context(|| format!("this line is not JSON: {start}"))?;
        let taken: Vec<Value> = hooks.split(',').map(Value::from).collect();
        ensure!(start["type"] == "start" && start["hooks"] == Value::from(taken), "the tool has begun with {start}");
        Ok(watch)
    }

    /// Stops the tool, so that it reads no rows, until [`Watch::go_on`].
    pub(crate) fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    pub(crate) fn go_on(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.tool), signal).with_context(|| format!("cannot send {signal:?} to the tool"))
    }

    /// Ends the watch; what it has said.
    pub(crate) fn end(mut self) -> Result<Report> {
        self.signal(Signal::INT)?;
        let end = Instant::now() + TO_END;
        let status = loop {
            if let Some(status) = self.tool.try_wait()? {
                break status;
            }
            if Instant::now() > end {
                bail!("the tool has not ended within {TO_END:?}");
            }
            thread::sleep(Duration::from_millis(5));
        };
        ensure!(status.success(), "the tool ended with {status}");
        Report::read(self.lines.iter())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Fails only when it has ended and has been waited for.
        let _ = self.tool.kill();
        let _ = self.tool.wait();
    }
}
