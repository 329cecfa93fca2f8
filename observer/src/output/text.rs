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
        Box::pin(async move {
            let has_queued = stdout.has_queued();
            tokio::select! {
                closed = stdout.closed() => return Some(Ending::of_stdout(closed)),
                () = sleep(FLUSH_RETRY), if has_queued => stdout.flush(),
            }
            None
        })
    }

    fn summary(&self, conclusion: &Conclusion, stdout: &mut Stdout) {
        stdout.text(&self.view.summary(conclusion));
    }
}
