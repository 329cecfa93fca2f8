//! Text on standard output: rows and notices as they come, the summary at the end.

use std::time::Duration;

use observer_core::{
    Conclusion,
    model::WatchInfo,
    tracker::{Notice, Row},
    views::View,
};
use tokio::time::sleep;

use super::{
    face::{Ending, Face, Work},
    stdout::Stdout,
};

/// How soon to retry when the thread that writes was busy.
const FLUSH_RETRY: Duration = Duration::from_millis(20);

pub(super) struct Text<V> {
    view: V,
}

impl<V: View> Text<V> {
    pub(super) fn start(view: V, about: &WatchInfo, stdout: &mut Stdout) -> Self {
        stdout.text(&view.start(about));
        Self { view }
    }
}

impl<V: View> Face for Text<V> {
    fn notice(&mut self, unix_ns: i64, Notice { kind, message }: &Notice, stdout: &mut Stdout) {
        stdout.text(&self.view.notice(unix_ns, kind, message));
    }

    fn row(&mut self, row: &Row, stdout: &mut Stdout) {
        stdout.row(|queue| self.view.row(row, queue));
    }

    fn work<'a>(&'a mut self, stdout: &'a mut Stdout) -> Work<'a> {
        Box::pin(write(stdout))
    }

    fn summary(&self, conclusion: &Conclusion, stdout: &mut Stdout) {
        stdout.text(&self.view.summary(conclusion));
    }
}

/// Only the summary. Notices that the summary does not make up for go to standard error.
pub(super) struct SummaryOnly<V>(pub(super) V);

impl<V: View> Face for SummaryOnly<V> {
    fn notice(&mut self, _: i64, _: &Notice, _: &mut Stdout) {}

    fn row(&mut self, _: &Row, _: &mut Stdout) {}

    fn work<'a>(&'a mut self, stdout: &'a mut Stdout) -> Work<'a> {
        Box::pin(write(stdout))
    }

    fn summary(&self, conclusion: &Conclusion, stdout: &mut Stdout) {
        stdout.text(&self.0.summary(conclusion));
    }

    fn shows_notices(&self) -> bool {
        false
    }
}

/// Writes what is queued, until nobody reads it any more.
async fn write(stdout: &mut Stdout) -> Option<Ending> {
    let has_queued = stdout.has_queued();
    tokio::select! {
        closed = stdout.closed() => return Some(Ending::of_stdout(closed)),
        () = sleep(FLUSH_RETRY), if has_queued => stdout.flush(),
    }
    None
}
