//! Where each event goes: the tracker numbers its connection, the recording and the screen take the row.

use observer_core::{
    TimeBase,
    decode::decode,
    model::{Event, RowKind},
    tracker::Tracker,
};

use crate::{
    helper::Runtimes,
    output::{recorder::Recorder, screen::Screen},
};

pub(super) struct Sinks<'a> {
    pub(super) runtimes: &'a mut Runtimes,
    pub(super) tracker: &'a mut Tracker,
    pub(super) recorder: Option<&'a mut Recorder>,
    pub(super) screen: Option<&'a mut Screen>,
}

impl Sinks<'_> {
    /// Whether rows are shown or recorded.
    pub(super) fn want_rows(&self) -> bool {
        self.recorder.is_some() || self.screen.is_some()
    }

    pub(super) fn record(&mut self, record: &[u8], base: TimeBase) {
        match decode(record, base) {
            Ok(event) => self.event(event),
            Err(malformed) => log::warn!("{malformed}"),
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        // Requested now, because a short-lived process would be gone at the next tick.
        if event.kind == RowKind::Open
            && let Some(process) = event.process()
        {
            self.runtimes.request(process);
        }
        let row = self.tracker.apply(event);
        if let Some(recorder) = &mut self.recorder {
            recorder.event(&row);
        }
        if let Some(screen) = &mut self.screen {
            screen.row(&row);
        }
    }
}
