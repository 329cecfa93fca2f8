//! Runs the program under test with `-o json`: waits until it is attached, ends it with SIGINT, and kills it on drop.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{peer::PORTS, report::Report};

/// Minutes, because the verifier takes half a minute on an emulated processor of a busy machine.
const START_TIMEOUT: Duration = Duration::from_mins(5);
const END_TIMEOUT: Duration = Duration::from_mins(2);

/// The program under test.
pub(crate) fn program() -> PathBuf {
    env::var_os("TCP_REUSE_WATCH").unwrap_or_else(|| env!("CARGO_BIN_EXE_tcp-reuse-watch").into()).into()
}

pub(crate) struct Watch {
    tool: Child,
    lines: Receiver<String>,
}

impl Watch {
    /// Watches with a set of hooks.
    pub(crate) fn start(hooks: &str, options: &[&str]) -> Result<Self> {
        let (watch, attached) = Self::spawn(hooks, options)?;
        let expected: Vec<Value> = hooks.split(',').map(Value::from).collect();
        ensure!(attached == Value::from(expected), "the tool started with other hooks: {attached}");
        Ok(watch)
    }

    /// Watches with the hooks that the tool chooses, and returns them.
    pub(crate) fn start_choosing(options: &[&str]) -> Result<(Self, Value)> {
        Self::spawn("auto", options)
    }

    fn spawn(hooks: &str, options: &[&str]) -> Result<(Self, Value)> {
        let program = program();
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
        // The thread drains the pipe, or it would fill and block the tool.
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let start = watch.lines.recv_timeout(START_TIMEOUT).context("the tool did not report that it is attached")?;
        let mut start: Value =
            serde_json::from_str(&start).with_context(|| format!("this line is not JSON: {start}"))?;
        ensure!(start["type"] == "start", "the first line is not of the type start: {start}");
        let hooks = start["hooks"].take();
        Ok((watch, hooks))
    }

    pub(crate) fn id(&self) -> u32 {
        self.tool.id()
    }

    /// Stops the tool until [`Watch::resume`]. It reads no rows meanwhile.
    pub(crate) fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    pub(crate) fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.tool), signal).with_context(|| format!("cannot send {signal:?} to the tool"))
    }

    /// Ends the watch and returns its output.
    pub(crate) fn end(mut self) -> Result<Report> {
        self.signal(Signal::INT)?;
        let end = Instant::now() + END_TIMEOUT;
        let status = loop {
            if let Some(status) = self.tool.try_wait()? {
                break status;
            }
            if Instant::now() > end {
                bail!("the tool did not end within {END_TIMEOUT:?}");
            }
            thread::sleep(Duration::from_millis(5));
        };
        ensure!(status.success(), "the tool ended with {status}");
        Report::read(self.lines.iter())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // These fail only if the tool has already been waited for.
        let _ = self.tool.kill();
        let _ = self.tool.wait();
    }
}
