//! How the program ends when it fails. 2 (usage) is clap's; the others are a contract with scripts.

use std::{error::Error, fmt, process::ExitCode, sync::mpsc::channel, thread, time::Duration};

/// How long stderr may take: it can be a terminal that nobody reads.
const PATIENCE: Duration = Duration::from_millis(500);

const RUN_TIME: u8 = 1;
const NOT_PERMITTED: u8 = 4;

/// Not permitted, or not supported by this kernel: what is missing, and how to get it. Exit code 4.
#[derive(Debug)]
pub(crate) struct NotPermitted(pub(crate) String);

impl fmt::Display for NotPermitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for NotPermitted {}

/// The exit code for it, where it has been said already.
pub(crate) fn not_permitted() -> ExitCode {
    ExitCode::from(NOT_PERMITTED)
}

/// Says what went wrong on stderr, and gives the exit code for it.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    say(format!("error: {error:#}"));
    let not_permitted = error.downcast_ref::<NotPermitted>().is_some();
    ExitCode::from(if not_permitted { NOT_PERMITTED } else { RUN_TIME })
}

fn say(message: String) {
    let (done, said) = channel();
    thread::spawn(move || {
        eprintln!("{message}");
        let _ = done.send(());
    });
    // Past it there is nobody to hear it.
    let _ = said.recv_timeout(PATIENCE);
}
