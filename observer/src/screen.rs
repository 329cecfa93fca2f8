//! A view, and where it goes: standard output.

use std::{io, time::Duration};

use anyhow::Context as _;

use crate::{
    cli,
    event::About,
    output::Output,
    tracker::{Notice, Row, Snapshot},
    view::{JsonView, LinesView, View},
};

/// How soon a standard output that was busy is tried again.
pub(crate) const FLUSH_RETRY: Duration = Duration::from_millis(20);

pub(crate) struct Screen {
    view: Box<dyn View>,
    pub(crate) output: Output,
}

impl Screen {
    /// None where nothing is to be shown. Starts threads.
    pub(crate) fn new(output: cli::Output) -> Option<Self> {
        let view: Box<dyn View> = match output {
            cli::Output::Lines => Box::new(LinesView),
            cli::Output::Json => Box::new(JsonView),
            cli::Output::None => return None,
        };
        Some(Self { view, output: Output::new() })
    }

    pub(crate) fn start(&mut self, about: &About) {
        self.output.text(&self.view.start(about));
        if !about.hooks.iter().any(|hook| hook == "sockops") {
            let message = "without sockops, the kernel may skip events: 'complete' says whether it did";
            self.output.text(&self.view.notice(about.started_unix_ns, "hooks", message));
        }
    }

    pub(crate) fn notices(&mut self, unix_ns: i64, notices: &[Notice]) {
        for Notice { kind, message } in notices {
            self.output.text(&self.view.notice(unix_ns, kind, message));
        }
    }

    pub(crate) fn row(&mut self, row: &Row) {
        self.output.row(&self.view.row(row));
    }

    pub(crate) async fn finish(mut self, about: &About, snapshot: &Snapshot) -> anyhow::Result<()> {
        self.output.text(&self.view.summary(about, snapshot));
        anyhow::ensure!(self.output.finish().await, "standard output did not take the summary");
        Ok(())
    }
}

/// What ends a watch.
pub(crate) enum Ending {
    /// A signal, or its time is over.
    Asked,
    /// Nobody reads standard output any more.
    OutputClosed,
    /// Standard output cannot be written to.
    OutputFailed(io::Error),
}

impl Ending {
    /// Shows the summary, if anyone is there to read it.
    pub(crate) async fn conclude(
        self,
        screen: Option<Screen>,
        about: &About,
        snapshot: &Snapshot,
    ) -> anyhow::Result<()> {
        match (self, screen) {
            (Self::OutputFailed(error), _) => Err(error).context("cannot write to standard output"),
            (Self::Asked, Some(screen)) => screen.finish(about, snapshot).await,
            (Self::OutputClosed, _) | (_, None) => Ok(()),
        }
    }
}

/// Comes back when standard output takes nothing more.
pub(crate) async fn closed(screen: Option<&mut Screen>) -> Ending {
    match screen {
        Some(screen) => screen.output.closed().await.map_or_else(Ending::OutputFailed, |()| Ending::OutputClosed),
        None => std::future::pending().await,
    }
}
