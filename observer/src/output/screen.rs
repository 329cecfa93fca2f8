//! The screen: standard output and the view on it, text or the dashboard.

use std::time::Duration;

use anyhow::Context as _;
use observer_core::{
    Conclusion,
    model::{Activity, WatchInfo},
    tracker::{Notice, Row, Snapshot},
    views::{ActivityQuery, JsonView, LinesView, hook_notice},
};

pub(crate) use super::face::Ending;
pub(crate) use super::stdout::Target;
use super::{
    dashboard::Dashboard,
    face::Face,
    stdout::Stdout,
    text::{SummaryOnly, Text},
};
use crate::cli;

/// How long a watch that ends waits for standard output.
const FINISH_TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) struct Screen {
    face: Box<dyn Face>,
    stdout: Stdout,
}

impl Screen {
    /// Starts threads. None with `-o none`.
    pub(crate) fn start(output: cli::Output, to: Target, about: &WatchInfo) -> anyhow::Result<Option<Self>> {
        let mut stdout = match output {
            cli::Output::None => return Ok(None),
            _ => Stdout::new(to),
        };
        let face: Box<dyn Face> = match output {
            cli::Output::Tui => Box::new(Dashboard::start(about, &mut stdout)?),
            cli::Output::Json => Box::new(Text::start(JsonView, about, &mut stdout)),
            cli::Output::Summary => Box::new(SummaryOnly(LinesView)),
            cli::Output::Lines | cli::Output::None => Box::new(Text::start(LinesView, about, &mut stdout)),
        };
        let mut screen = Self { face, stdout };
        screen.notices(about.started_unix_ns, hook_notice(about).as_slice());
        Ok(Some(screen))
    }

    /// Whether the user sees notices. The log of a dashboard disappears with it.
    pub(crate) fn shows_notices(&self) -> bool {
        self.face.shows_notices()
    }

    pub(crate) fn notices(&mut self, unix_ns: i64, notices: &[Notice]) {
        for notice in notices {
            self.face.notice(unix_ns, notice, &mut self.stdout);
        }
    }

    pub(crate) fn row(&mut self, row: &Row) {
        self.face.row(row, &mut self.stdout);
    }

    pub(crate) fn snapshot(&mut self, snapshot: Snapshot) {
        self.face.snapshot(snapshot);
    }

    /// The connections whose current activity is on the screen.
    pub(crate) fn activity_queries(&self) -> Vec<ActivityQuery> {
        self.face.activity_queries()
    }

    /// Answers a query. None: the connection is gone.
    pub(crate) fn activity(&mut self, query: &ActivityQuery, activity: Option<Activity>) {
        self.face.activity(query, activity);
    }

    /// No more rows and samples will come. Returns true if the screen stays open until the user quits.
    pub(crate) fn stay(&mut self) -> bool {
        self.face.stay()
    }

    /// Whether the screen shows state, not only events.
    pub(crate) fn is_live(&self) -> bool {
        self.face.is_live()
    }

    pub(crate) fn lost_rows(&self) -> u64 {
        self.stdout.lost_rows()
    }

    /// Passes queued output to the thread that writes it.
    pub(crate) fn flush(&mut self) {
        self.stdout.flush();
    }

    /// Backpressure: producers that can wait should, or rows are dropped.
    pub(crate) fn is_behind(&self) -> bool {
        self.stdout.is_behind()
    }

    /// Restores the terminal.
    pub(crate) fn leave(&mut self) {
        self.face.leave(&mut self.stdout);
    }

    async fn finish(mut self, conclusion: &Conclusion<'_>, timeout: Option<Duration>) -> anyhow::Result<()> {
        self.face.summary(conclusion, &mut self.stdout);
        self.stdout.finish(timeout).await.context("standard output did not take the summary")
    }
}

impl Ending {
    /// Shows the summary, unless standard output is gone.
    pub(crate) async fn conclude(self, screen: Option<Screen>, conclusion: &Conclusion<'_>) -> anyhow::Result<()> {
        match (self, screen) {
            (Self::OutputFailed(error), _) => Err(error).context("cannot write to standard output"),
            (Self::Asked, Some(screen)) => screen.finish(conclusion, Some(FINISH_TIMEOUT)).await,
            // Nobody waits for the end of a replay but its reader, which may take as long as it likes.
            (Self::Finished, Some(screen)) => screen.finish(conclusion, None).await,
            (Self::Failed(error), screen) => {
                if let Some(screen) = screen {
                    screen.finish(conclusion, Some(FINISH_TIMEOUT)).await?;
                }
                Err(error)
            }
            (Self::OutputClosed, _) | (_, None) => Ok(()),
        }
    }
}

/// Does the next piece of the screen's own work. Returns why the watch ends. Never completes without a screen.
pub(crate) async fn screen_work(screen: Option<&mut Screen>) -> Option<Ending> {
    match screen {
        Some(Screen { face, stdout }) => face.work(stdout).await,
        None => std::future::pending().await,
    }
}
