//! The program under test as a process, which never outlives its test.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::process::CommandExt as _,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_tcp-reuse-watch");

/// The tool's command with these arguments, separated by spaces.
pub(crate) fn command(arguments: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments.split_whitespace()).stdin(Stdio::null());
    command
}

/// The output of a run that has ended.
#[derive(Debug)]
pub(crate) struct RunOutput {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl RunOutput {
    /// Runs a command to its end.
    pub(crate) fn run(command: &mut Command) -> Self {
        Self::run_on("", Duration::from_mins(2), command)
    }

    /// Runs a command with this input, which it need not read.
    pub(crate) fn run_on(input: &str, limit: Duration, command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Process::start(command);
        let mut stdin = process.child.stdin.take().expect("the stream is piped");
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let stdout = collect(process.child.stdout.take());
        let stderr = collect(process.child.stderr.take());
        let status = process.wait(limit);
        let text = |thread: thread::JoinHandle<String>| thread.join().expect("the reader thread panicked");
        Self { status, stdout: text(stdout), stderr: text(stderr) }
    }

    pub(crate) fn assert_code(&self, code: i32) {
        assert_eq!(self.status.code(), Some(code), "{self:#?}");
    }
}

fn collect(pipe: Option<impl std::io::Read + Send + 'static>) -> thread::JoinHandle<String> {
    let mut pipe = pipe.expect("the stream is piped");
    thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).expect("the output is UTF-8");
        text
    })
}

/// A process that is killed on drop.
pub(crate) struct Process {
    pub(crate) child: Child,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let heed_hangup = || {
            // SAFETY: SIG_DFL is no handler of ours.
            unsafe { libc::signal(libc::SIGHUP, libc::SIG_DFL) };
            Ok(())
        };
        // A test that runs under nohup ignores SIGHUP, and so would its children.
        // SAFETY: between fork and exec there is one system call, which takes no lock and allocates nothing.
        unsafe { command.pre_exec(heed_hangup) };
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        Self { child }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap_or_else(|error| panic!("cannot send {signal:?}: {error}"));
    }

    /// Reads its stderr to the end.
    pub(crate) fn stderr(&mut self) -> String {
        let mut text = String::new();
        let pipe = self.child.stderr.as_mut().expect("the stream is piped");
        pipe.read_to_string(&mut text).expect("the output is UTF-8");
        text
    }

    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("cannot wait for the child")
    }

    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.has_ended() {
                return status;
            }
            assert!(Instant::now() < end, "process {} has not ended within {limit:?}", self.id());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A running watch. Only the first line of its standard output, a pipe, is read until the test reads more.
pub(crate) struct RunningWatch {
    pub(crate) tool: Process,
    pub(crate) stdout: BufReader<ChildStdout>,
    pub(crate) first: String,
}

impl RunningWatch {
    pub(crate) fn start(arguments: &str) -> Self {
        Self::start_command(&mut command(arguments))
    }

    pub(crate) fn start_command(command: &mut Command) -> Self {
        let mut tool = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        let pipe = tool.child.stdout.take().expect("the stream is piped");
        let mut stdout = BufReader::with_capacity(1, pipe);
        let mut first = String::new();
        stdout.read_line(&mut first).expect("the output is UTF-8");
        assert!(!first.is_empty(), "the tool exited before it was attached");
        Self { tool, stdout, first }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if the process was already reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
