//! Exit codes for failures, a contract with scripts. clap exits with 2 on a usage error.

use std::{error::Error, fmt, process::ExitCode, sync::mpsc::channel, thread, time::Duration};

use anyhow::ensure;

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
    print(format!("error: {error:#}"));
    let not_permitted = error.downcast_ref::<NotPermitted>().is_some();
    ExitCode::from(if not_permitted { NOT_PERMITTED } else { RUN_TIME })
}

/// Fails if any of these has failed, and says why each of them has.
pub(crate) fn all_of<const N: usize>(results: [anyhow::Result<()>; N]) -> anyhow::Result<()> {
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

fn print(message: String) {
    let (done, printed) = channel();
    thread::spawn(move || {
        eprintln!("{message}");
        let _ = done.send(());
    });
    // After a timeout, the message is lost.
    let _ = printed.recv_timeout(STDERR_TIMEOUT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_is_told_once() {
        let failed = |what: &'static str| Err(anyhow::anyhow!(what));
        assert!(all_of([Ok(()), Ok(())]).is_ok());
        let told = |results| all_of::<3>(results).unwrap_err().to_string();
        assert_eq!(told([Ok(()), failed("disk"), Ok(())]), "disk");
        assert_eq!(told([failed("map"), failed("disk"), failed("map")]), "map; disk");
        assert_eq!(told([failed("map"), failed("map"), failed("disk")]), "map; disk");
    }
}
