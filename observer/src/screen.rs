//! A view, and where it goes: standard output, as text that flows, or as a dashboard.

use std::{io, time::Duration};

use anyhow::Context as _;
use tokio::time::sleep;

use crate::{
    cli,
    dashboard::Dashboard,
    event::{About, Standing},
    output::Output,
    recording::Recorder,
    terminal,
    tracker::{Notice, Row, Snapshot},
    view::{Ask, JsonView, LinesView, View, over},
};

/// How soon a standard output that was busy is tried again.
const FLUSH_RETRY: Duration = Duration::from_millis(20);

/// A view, and standard output.
pub(crate) struct Screen {
    face: Face,
    output: Output,
}

enum Face {
    Text(Box<dyn View>),
    Dashboard(Box<Dashboard>),
}

impl Screen {
    /// None where nothing is to be shown. Starts threads.
    pub(crate) fn start(output: cli::Output, about: &About) -> anyhow::Result<Option<Self>> {
        let view: Box<dyn View> = match output {
            cli::Output::Lines => Box::new(LinesView),
            cli::Output::Json => Box::new(JsonView),
            cli::Output::Tui => {
                let mut output = Output::new();
                let face = Face::Dashboard(Box::new(Dashboard::start(about, &mut output)?));
                return Ok(Some(Self { face, output }.with_remarks(about)));
            }
            cli::Output::None => return Ok(None),
        };
        let mut output = Output::new();
        output.text(&view.start(about));
        Ok(Some(Self { face: Face::Text(view), output }.with_remarks(about)))
    }

    fn with_remarks(mut self, about: &About) -> Self {
        if !about.hooks.iter().any(|hook| hook == "sockops") {
            let message = "without sockops, the kernel may skip events: 'complete' says whether it did";
            self.notices(about.started_unix_ns, &[Notice { kind: "hooks", message: message.into() }]);
        }
        self
    }

    /// Whether what has to be said is seen there: a dashboard's log is gone with it.
    pub(crate) fn has_notices(&self) -> bool {
        matches!(self.face, Face::Text(_)) || terminal::is_taken()
    }

    pub(crate) fn notices(&mut self, unix_ns: i64, notices: &[Notice]) {
        for Notice { kind, message } in notices {
            match &mut self.face {
                Face::Text(view) => self.output.text(&view.notice(unix_ns, kind, message)),
                Face::Dashboard(dashboard) => {
                    dashboard.tui.notice(unix_ns, message);
                    if *kind == Recorder::NOTICE {
                        dashboard.parting.push(LinesView.notice(unix_ns, kind, message));
                    }
                    dashboard.changed();
                }
            }
        }
    }

    pub(crate) fn row(&mut self, row: &Row) {
        match &mut self.face {
            Face::Text(view) => self.output.row(|waiting| view.row(row, waiting)),
            Face::Dashboard(dashboard) => {
                dashboard.tui.row(row);
                dashboard.changed();
            }
        }
    }

    /// Shows all of it as of now, if that is what is shown.
    pub(crate) fn snapshot(&mut self, snapshot: Snapshot) {
        if let Face::Dashboard(dashboard) = &mut self.face {
            dashboard.snapshot(snapshot);
        }
    }

    /// Connections of which it wants to know what they are doing.
    pub(crate) fn asks(&self) -> Vec<Ask> {
        match &self.face {
            Face::Text(_) => Vec::new(),
            Face::Dashboard(dashboard) => dashboard.tui.asks(),
        }
    }

    pub(crate) fn looked_at(&mut self, ask: &Ask, standing: Option<Standing>) {
        if let Face::Dashboard(dashboard) = &mut self.face {
            dashboard.tui.looked_at(ask, standing);
        }
    }

    /// There will be nothing new. True if it stays to be looked at all the same, until someone quits.
    pub(crate) fn stays(&mut self) -> bool {
        let Face::Dashboard(dashboard) = &mut self.face else { return false };
        dashboard.over();
        true
    }

    /// Whether someone looks at it all the time, and not only at what has happened.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.face, Face::Dashboard(_))
    }

    pub(crate) fn lost_rows(&self) -> u64 {
        self.output.lost_rows()
    }

    /// Hands over what is waiting.
    pub(crate) fn flush(&mut self) {
        self.output.flush();
    }

    /// Whether whoever can wait should, lest rows are lost.
    pub(crate) fn is_behind(&self) -> bool {
        self.output.is_behind()
    }

    /// Waits for something to do, and does it; what ends the watch, if something does.
    async fn attend(&mut self) -> Option<Ending> {
        let is_waiting = self.output.is_waiting();
        match &mut self.face {
            Face::Text(_) => tokio::select! {
                closed = self.output.closed() => return Some(Ending::of_output(closed)),
                () = sleep(FLUSH_RETRY), if is_waiting => self.output.flush(),
            },
            Face::Dashboard(dashboard) => {
                let is_busy = self.output.is_busy();
                tokio::select! {
                    closed = self.output.closed() => return Some(Ending::of_output(closed)),
                    wake = dashboard.wake(is_busy) => {
                        if dashboard.act(wake, &mut self.output) {
                            return Some(Ending::Asked);
                        }
                    }
                }
            }
        }
        None
    }

    /// Gives the terminal back, if it was taken.
    pub(crate) fn leave(&mut self) {
        if let Face::Dashboard(dashboard) = &mut self.face {
            dashboard.leave(&mut self.output);
        }
    }

    pub(crate) async fn finish(mut self, about: &About, snapshot: &Snapshot) -> anyhow::Result<()> {
        match &self.face {
            Face::Text(view) => self.output.text(&view.summary(about, snapshot)),
            Face::Dashboard(dashboard) => {
                self.output.text(&over(about));
                self.output.text(&LinesView.summary(about, snapshot));
                if let Some(since) = dashboard.tui.since_reset(snapshot) {
                    self.output.text(&format!("{since}\n"));
                }
                dashboard.parting.iter().for_each(|said| self.output.text(said));
            }
        }
        self.output.finish().await.context("standard output did not take the summary")
    }
}

/// What ends a watch.
pub(crate) enum Ending {
    /// A signal or a key, or its time is over.
    Asked,
    /// Nobody reads standard output any more.
    OutputClosed,
    /// Standard output cannot be written to.
    OutputFailed(io::Error),
}

impl Ending {
    fn of_output(closed: io::Result<()>) -> Self {
        closed.map_or_else(Self::OutputFailed, |()| Self::OutputClosed)
    }

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

/// Waits for what the screen has to do, and does it; without one for ever.
pub(crate) async fn attend(screen: Option<&mut Screen>) -> Option<Ending> {
    match screen {
        Some(screen) => screen.attend().await,
        None => std::future::pending().await,
    }
}
