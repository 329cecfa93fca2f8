//! The signals that end a watch. The first one ends it with the summary, a second one quits at once.

use std::{fs, future::pending};

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Exit code of a watch that quits before it has written its summary.
const QUIT_CODE: i32 = 1;

/// A signal is None if whoever started this process had it ignored, as nohup does with SIGHUP: it stays ignored.
pub(crate) struct Signals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
    hang_up: Option<Signal>,
}

impl Signals {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let ignored = fs::read_to_string("/proc/self/status").map_or(0, |status| ignored_signals(&status));
        let listen = |kind: SignalKind| -> anyhow::Result<Option<Signal>> {
            if ignored & 1 << (kind.as_raw_value() - 1) != 0 {
                return Ok(None);
            }
            Ok(Some(signal(kind).context("cannot listen for signals")?))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn next(&mut self) {
        tokio::select! {
            () = received(&mut self.interrupt) => {}
            () = received(&mut self.terminate) => {}
            () = received(&mut self.hang_up) => {}
        }
    }

    /// From now on, a signal quits at once.
    pub(crate) fn quit_on_next(mut self) {
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(QUIT_CODE);
        });
    }
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => pending().await,
    }
}

/// The mask of ignored signals, bit 0 for signal 1, from /proc/PID/status (proc_pid_status(5)).
fn ignored_signals(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_status() {
        assert_eq!(ignored_signals("SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"), 0x1001);
        assert_eq!(ignored_signals("Name:\tx\n"), 0);
    }
}
