//! Exit codes for failures, a contract with scripts. clap exits with 2 on a usage error.

use std::{
    error::Error,
    fmt,
    io::{self, Write as _},
    process::ExitCode,
    sync::mpsc::channel,
    thread,
    time::Duration,
};

use anyhow::{anyhow, ensure};
use observer_core::{Conclusion, printable::printable, views::gate_lines};

use crate::{runner::End, session::Supervised};

/// How long to wait for stderr, which may be a blocked terminal.
const STDERR_TIMEOUT: Duration = Duration::from_millis(500);

const RUN_TIME: u8 = 1;
const GATE_FAILED: u8 = 3;
const NOT_PERMITTED: u8 = 4;

/// The watch is not permitted, or not supported by this kernel. The message says what is missing and how to get it.
/// Exit code 4.
#[derive(Debug)]
pub(crate) struct NotPermitted(pub(crate) String);

impl fmt::Display for NotPermitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for NotPermitted {}

/// The exit code of [`NotPermitted`], for a command that has already reported it.
pub(crate) fn not_permitted() -> ExitCode {
    ExitCode::from(NOT_PERMITTED)
}

/// The exit code when numbers are beyond a limit that the user gave, which has already been reported.
pub(crate) fn gate_failed() -> ExitCode {
    ExitCode::from(GATE_FAILED)
}

/// Prints the error on stderr and returns its exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    print(&format!("error: {error:#}\n"));
    ExitCode::from(if is_not_permitted(error) { NOT_PERMITTED } else { RUN_TIME })
}

pub(crate) fn is_not_permitted(error: &anyhow::Error) -> bool {
    error.downcast_ref::<NotPermitted>().is_some()
}

/// The exit code of a watch with a command: the command's own unless it is 0, then that of the watch, then that of the
/// gates. `judged`: the code of the gates.
pub(crate) fn of_command(
    command: &Supervised,
    watched: anyhow::Result<()>,
    judged: ExitCode,
) -> anyhow::Result<ExitCode> {
    let program = command.runner.program();
    let end = command.report.map(|report| report.end);
    if let Some(End::NotStarted(errno)) = end {
        let error = io::Error::from_raw_os_error(errno);
        // As env(1) says it, without the number that Rust adds.
        let text = error.to_string();
        let text = text.split_once(" (os error").map_or(text.as_str(), |(text, _)| text);
        print(&format!("tcp-reuse-watch: '{}': {text}\n", printable(&program)));
    }
    let ended = match end {
        Some(End::Unknown) => Err(anyhow!("it is unknown how the command ended: the process that ran it was killed")),
        None => Err(anyhow!("the command goes on: '{}' did not end when it was told to", printable(&program))),
        Some(_) => Ok(()),
    };
    let watched = all_of([watched, ended]);
    match end.and_then(End::exit_code).and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0) {
        Some(code) => {
            if let Err(error) = watched {
                report(&error);
            }
            Ok(ExitCode::from(code))
        }
        None => watched.map(|()| judged),
    }
}

/// Says on stderr which gates failed or are in doubt, and returns the exit code of a watch of which nothing else failed.
pub(crate) fn of_gates(conclusion: &Conclusion) -> ExitCode {
    let lines = gate_lines(conclusion).concat();
    if !lines.is_empty() {
        print(&lines);
    }
    ExitCode::from(if conclusion.has_failed() { GATE_FAILED } else { 0 })
}

/// Fails if any of these has failed, and says why each of them has.
pub(crate) fn all_of(results: impl IntoIterator<Item = anyhow::Result<()>>) -> anyhow::Result<()> {
    let (mut first, mut texts) = (Ok(()), Vec::new());
    for error in results.into_iter().filter_map(Result::err) {
        let text = format!("{error:#}");
        // One failure may be found more than once.
        if !texts.contains(&text) {
            texts.push(text);
            first = first.and(Err(error));
        }
    }
    ensure!(texts.len() < 2, texts.join("; "));
    first
}

/// Writes to stderr, if it takes anything. Starts a thread.
pub(crate) fn print(message: &str) {
    let (done, printed) = channel();
    let copy = message.to_owned();
    let write = move || {
        let _ = io::stderr().write_all(copy.as_bytes());
        let _ = done.send(());
    };
    match thread::Builder::new().spawn(write) {
        // After a timeout, the message is lost.
        Ok(_) => drop(printed.recv_timeout(STDERR_TIMEOUT)),
        // No thread can be started, as after `unshare --pid` without `--fork`.
        Err(_) => drop(io::stderr().write_all(message.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_is_told_once() {
        let failed = |what: &'static str| Err(anyhow::anyhow!(what));
        assert!(all_of([Ok(()), Ok(())]).is_ok());
        let told = |results: [anyhow::Result<()>; 3]| all_of(results).unwrap_err().to_string();
        assert_eq!(told([Ok(()), failed("disk"), Ok(())]), "disk");
        assert_eq!(told([failed("map"), failed("disk"), failed("map")]), "map; disk");
        assert_eq!(told([failed("map"), failed("map"), failed("disk")]), "map; disk");
    }
}
