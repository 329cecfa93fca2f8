//! The interface of every view on standard output: text or the dashboard.

use std::{io, pin::Pin};

use anyhow::anyhow;
use observer_core::{
    Conclusion,
    model::Activity,
    tracker::{Notice, Row, Snapshot},
    views::ActivityQuery,
};

use super::stdout::Stdout;

/// A view on standard output. Every method writes to `stdout`, or changes the next frame.
pub(super) trait Face {
    fn notice(&mut self, unix_ns: i64, notice: &Notice, stdout: &mut Stdout);

    fn row(&mut self, row: &Row, stdout: &mut Stdout);

    /// Waits for the face's own work and does it. Returns why the watch ends. Cancel-safe.
    fn work<'a>(&'a mut self, stdout: &'a mut Stdout) -> Work<'a>;

    fn summary(&self, conclusion: &Conclusion, stdout: &mut Stdout);

    /// Only a live face shows snapshots.
    fn snapshot(&mut self, _: Snapshot) {}

    /// The connections whose current activity it shows.
    fn activity_queries(&self) -> Vec<ActivityQuery> {
        Vec::new()
    }

    fn activity(&mut self, _: &ActivityQuery, _: Option<Activity>) {}

    /// Whether it shows state, not only events. A live face needs frequent samples.
    fn is_live(&self) -> bool {
        false
    }

    /// Whether the user sees a notice now.
    fn shows_notices(&self) -> bool {
        true
    }

    /// No more rows and samples will come. Returns true if it stays open until the user quits.
    fn stay(&mut self) -> bool {
        false
    }

    /// Restores the terminal.
    fn leave(&mut self, _: &mut Stdout) {}
}

pub(super) type Work<'a> = Pin<Box<dyn Future<Output = Option<Ending>> + 'a>>;

/// Why a watch ends.
pub(crate) enum Ending {
    /// A signal, a key, or the deadline.
    Asked,
    /// The reader of standard output is gone.
    OutputClosed,
    /// A recording was played to its end.
    Finished,
    /// Standard output cannot be written to.
    OutputFailed(io::Error),
    /// The watch cannot go on. What was counted until then is still shown.
    Failed(anyhow::Error),
}

impl Ending {
    pub(super) fn of_stdout(closed: io::Result<()>) -> Self {
        closed.map_or_else(Self::OutputFailed, |()| Self::OutputClosed)
    }

    pub(crate) fn of_panic() -> Self {
        Self::Failed(anyhow!("a thread of this program has panicked, which is a bug: please report it"))
    }
}
