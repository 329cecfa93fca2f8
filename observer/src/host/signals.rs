//! The signals that end a watch. The first one ends it with the summary, a second one quits at once.

use std::{
    fs,
    future::pending,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::Context as _;
use rustix::process::Signal;
use tokio::{
    signal::unix::{Signal as Stream, SignalKind, signal},
    time::sleep,
};

/// Exit code of a watch that quits before it has written its summary.
const QUIT_CODE: i32 = 1;

/// Longer than a signal that has arrived takes from its handler to the event loop.
const DELIVERY: Duration = Duration::from_millis(2);

/// Whether the last SIGINT came from the kernel, which sends it to all processes in the foreground of a terminal.
static IS_FROM_TERMINAL: AtomicBool = AtomicBool::new(false);

/// A signal that has arrived.
pub(crate) struct Received {
    pub(crate) signal: Signal,
    pub(crate) is_from_terminal: bool,
}

/// A signal is None if whoever started this process had it ignored, as nohup does with SIGHUP: it stays ignored.
pub(crate) struct Signals {
    interrupt: Option<Stream>,
    terminate: Option<Stream>,
    hang_up: Option<Stream>,
}

impl Signals {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let ignored = fs::read_to_string("/proc/self/status").map_or(0, |status| ignored_signals(&status));
        let listen = |kind: SignalKind| -> anyhow::Result<Option<Stream>> {
            if ignored & 1 << (kind.as_raw_value() - 1) != 0 {
                return Ok(None);
            }
            Ok(Some(signal(kind).context("cannot listen for signals")?))
        };
        let interrupt = listen(SignalKind::interrupt())?;
        if interrupt.is_some() {
            note_origin_of_interrupts()?;
        }
        Ok(Self { interrupt, terminate: listen(SignalKind::terminate())?, hang_up: listen(SignalKind::hangup())? })
    }

    /// Cancel-safe.
    pub(crate) async fn next(&mut self) -> Received {
        let signal = tokio::select! {
            () = received(&mut self.interrupt) => Signal::INT,
            () = received(&mut self.terminate) => Signal::TERM,
            () = received(&mut self.hang_up) => Signal::HUP,
        };
        let is_from_terminal = signal == Signal::INT && IS_FROM_TERMINAL.load(Ordering::Relaxed);
        Received { signal, is_from_terminal }
    }

    /// Whether a signal has arrived already. Takes it. Cancel-safe.
    pub(crate) async fn has_arrived(&mut self) -> bool {
        tokio::select! {
            biased;
            _ = self.next() => true,
            () = sleep(DELIVERY) => false,
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

/// Remembers for each SIGINT whether the kernel or a process has sent it (`si_code`, sigaction(2)).
fn note_origin_of_interrupts() -> anyhow::Result<()> {
    let note = |info: &libc::siginfo_t| IS_FROM_TERMINAL.store(info.si_code > 0, Ordering::Relaxed);
    // SAFETY: the action does nothing but store to an atomic, which is allowed in a signal handler.
    unsafe { signal_hook_registry::register_sigaction(libc::SIGINT, note) }.context("cannot listen for signals")?;
    Ok(())
}

async fn received(signal: &mut Option<Stream>) {
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
