//! What ends a watch: a signal, its duration, or the end of the command that it was started for.
//!
//! With a command, a signal and the end of the duration reach the command first, and the watch ends after it. Its
//! descendants get some time to end too. Nothing is killed.

use std::{future::pending, time::Duration};

use observer_core::model::Command;
use rustix::process::Signal;
use tokio::time::{Instant, sleep_until};

use crate::{
    host::signals::{Received, Signals},
    runner::{Report, Runner},
};

/// Pause between two checks for running descendants of an ended command.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

pub(crate) struct Stop {
    pub(crate) signals: Signals,
    /// When the duration of the watch is over. None: never.
    deadline: Option<Instant>,
    pub(crate) command: Option<Supervised>,
}

/// A command that runs, or has ended.
pub(crate) struct Supervised {
    pub(crate) runner: Runner,
    /// How long its descendants may go on after it, and itself after it was told to end.
    linger: Duration,
    /// How it ended. None: it runs.
    pub(crate) report: Option<Report>,
    /// When waiting is over.
    until: Option<Instant>,
    /// Whether a signal that arrived together with the command's end has been taken.
    has_taken_late_signals: bool,
}

impl Supervised {
    pub(crate) fn new(runner: Runner, linger: Duration) -> Self {
        Self { runner, linger, report: None, until: None, has_taken_late_signals: false }
    }

    pub(crate) fn describe(&self) -> Command {
        self.runner.describe(self.report)
    }

    /// Waits for what is next: the end of the command or of the time that it has left. Cancel-safe.
    async fn step(&mut self) {
        tokio::select! {
            report = self.runner.ended() => {
                self.report = Some(report);
                self.until = Some(after(self.linger));
            }
            () = sleep_until_some(self.until) => {}
        }
    }

    /// Tells the command to end, unless it knows already.
    fn tell(&mut self, signal: Option<Signal>) {
        if let Some(signal) = signal {
            self.runner.signal(signal);
        }
        self.until = Some(after(self.linger));
    }

    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now())
    }
}

impl Stop {
    pub(crate) fn new(signals: Signals, duration: Option<Duration>, command: Option<Supervised>) -> Self {
        // A duration beyond the range of the clock never ends.
        Self { signals, deadline: duration.and_then(|duration| Instant::now().checked_add(duration)), command }
    }

    pub(crate) fn has_running_command(&self) -> bool {
        self.command.as_ref().is_some_and(|command| command.report.is_none())
    }

    /// Completes when the watch ends. `has_descendants`: whether descendants of the command run. Cancel-safe.
    pub(crate) async fn next(&mut self, mut has_descendants: impl FnMut() -> bool) {
        let Some(command) = &mut self.command else {
            tokio::select! {
                _ = self.signals.next() => {}
                () = sleep_until_some(self.deadline) => {}
            }
            return;
        };
        while command.report.is_none() {
            if command.is_over() {
                return;
            }
            tokio::select! {
                biased;
                () = command.step() => {}
                received = self.signals.next() => {
                    if command.until.is_some() {
                        // The second one.
                        return;
                    }
                    let Received { signal, is_from_terminal } = received;
                    // The terminal has sent it to the command too.
                    let knows = is_from_terminal && command.runner.is_in_own_process_group();
                    command.tell((!knows).then_some(signal));
                }
                () = sleep_until_some(self.deadline) => {
                    self.deadline = None;
                    command.tell(Some(Signal::TERM));
                }
            }
        }
        if !command.has_taken_late_signals {
            // Ctrl-C may have ended the command before this process took notice of it. It is no second signal then.
            let _ = self.signals.has_arrived().await;
            command.has_taken_late_signals = true;
        }
        while !command.is_over() && has_descendants() {
            tokio::select! {
                _ = self.signals.next() => return,
                () = sleep_until_some(self.deadline) => return,
                () = sleep_until(Instant::now() + LOOK_INTERVAL) => {}
            }
        }
    }
}

fn after(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}

/// Never completes without a time.
async fn sleep_until_some(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}
