//! `-- CMD`: the command that is watched. A child process, `reuse-runner`, starts it, passes signals on to it and reports
//! its end, because this process gives up the privileges for all of that.
//!
//! The runner is forked before anything is opened, so the command has no descriptor of this process. It is forked before
//! the privileges are dropped, so programs with set-user-ID work in the command. The command waits until everything is
//! attached. From then on it is followed by the kernel side, with all its descendants.

mod account;
mod launch;
mod messages;
mod supervise;

use std::{
    ffi::OsString,
    fs,
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
};

use anyhow::{Context as _, bail, ensure};
use observer_core::model::{self, signal_name};
use rustix::process::{Pid, Signal, getpgid};
use tokio::io::unix::AsyncFd;

pub(crate) use account::Account;
pub(crate) use messages::{End, Report};
use messages::{GO, PID_BYTES, REPORT_BYTES};

use crate::{helper::fork, host::async_fd::readable};

/// A command that waits or runs.
#[derive(Debug)]
pub(crate) struct Runner {
    /// Non-blocking.
    socket: AsyncFd<UnixStream>,
    /// In the PID namespace of this process.
    pub(crate) command_pid: u32,
    argv: Vec<OsString>,
    /// The start of a report that has not arrived completely.
    partial: Vec<u8>,
}

/// A runner outside of the event loop.
#[derive(Debug)]
pub(crate) struct Forked {
    socket: UnixStream,
    command_pid: u32,
    argv: Vec<OsString>,
}

impl Forked {
    /// Forks the runner, which forks the command. `argv` has at least the program. Must be called before other threads are
    /// started.
    pub(crate) fn start(argv: &[OsString], account: Option<Account>) -> anyhow::Result<Self> {
        ensure!(fs::read_dir("/proc/self/task")?.count() == 1, "other threads are running already");
        // The command's id would mean another process here, and the kernel side would follow that one.
        ensure!(
            fs::read_link("/proc/self/ns/pid").ok() == fs::read_link("/proc/self/ns/pid_for_children").ok(),
            "the command would run in another PID namespace than this process: use unshare with --fork"
        );
        let (mut ours, theirs) = UnixStream::pair()?;
        if fork().context("cannot fork")?.is_none() {
            drop(ours);
            supervise::run(theirs, argv, account);
        }
        drop(theirs);
        let mut pid = [0; PID_BYTES];
        ours.read_exact(&mut pid).context("cannot start a process for the command")?;
        if let Some(errno) = messages::refusal(pid, &mut ours) {
            bail!("cannot start a process for the command: {}", io::Error::from_raw_os_error(errno));
        }
        ours.set_nonblocking(true)?;
        Ok(Self { socket: ours, command_pid: u32::from_ne_bytes(pid), argv: argv.to_vec() })
    }

    /// Must run within a tokio runtime.
    pub(crate) fn into_runner(self) -> anyhow::Result<Runner> {
        let Self { socket, command_pid, argv } = self;
        Ok(Runner { socket: readable(socket)?, command_pid, argv, partial: Vec::new() })
    }
}

impl Runner {
    /// Lets the command run.
    pub(crate) fn release(&mut self) -> anyhow::Result<()> {
        self.send(GO).context("the process that runs the command is gone")
    }

    /// Whether the command is in the process group of this process, to which a terminal sends its signals.
    pub(crate) fn is_in_own_process_group(&self) -> bool {
        let command = Pid::from_raw(self.command_pid.cast_signed());
        command.is_some() && getpgid(command).ok() == getpgid(None).ok()
    }

    /// Passes a signal on.
    pub(crate) fn signal(&mut self, signal: Signal) {
        // Signals have numbers below 65. Sending fails only if the command has ended.
        let _ = u8::try_from(signal.as_raw()).map(|number| self.send(number));
    }

    fn send(&mut self, byte: u8) -> io::Result<()> {
        self.socket.get_ref().write_all(&[byte])
    }

    /// Waits for the end of the command. Cancel-safe.
    pub(crate) async fn ended(&mut self) -> Report {
        loop {
            if let Some(report) = Report::parse(&self.partial) {
                return report;
            }
            let Ok(mut ready) = self.socket.readable().await else { return Report::LOST };
            let mut bytes = [0; REPORT_BYTES];
            match ready.try_io(|socket| socket.get_ref().read(&mut bytes)) {
                Ok(Ok(n @ 1..)) => self.partial.extend(&bytes[..n]),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                // The runner was killed.
                Ok(_) => return Report::LOST,
                Err(_would_block) => {}
            }
        }
    }

    /// The command for the summary. `report`: None if it goes on.
    pub(crate) fn describe(&self, report: Option<Report>) -> model::Command {
        let argv = self.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let Some(Report { end, wall_us, user_us }) = report else {
            return model::Command { argv, ..model::Command::default() };
        };
        let (exit_code, signal) = match end {
            End::Exited(code) => (Some(code), None),
            End::Killed(signal) => (None, Some(signal_name(signal))),
            End::NotStarted(_) => (end.exit_code(), None),
            End::Unknown => (None, None),
        };
        model::Command { argv, exit_code, signal, wall_us, user_us }
    }

    /// The program as the user wrote it.
    pub(crate) fn program(&self) -> String {
        self.argv.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default()
    }
}
