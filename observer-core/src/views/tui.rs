//! `-o tui`: the dashboard. Rows, notices and snapshots feed its state, keys change it, and panes draw it. It does no I/O:
//! the caller owns the terminal, and tests draw into a buffer.

#[cfg(test)]
mod fixture;
mod panes;
mod state;

use ratatui::{
    Frame,
    crossterm::event::{KeyEvent, KeyEventKind},
    layout::Rect,
};

use crate::{
    model::{Activity, WatchInfo},
    printable::printable,
    tracker::{Row, Snapshot},
};
use panes::Scene;
pub use panes::Theme;
use state::{
    State,
    journal::Entry,
    keys,
    layout::{Layout, Pane},
};
pub use state::{connections::ActivityQuery, keys::Outcome};

pub struct Tui {
    theme: Theme,
    about: WatchInfo,
    state: State,
    /// The size of the screen at the last frame.
    area: Rect,
}

impl Tui {
    pub fn new(theme: Theme, about: &WatchInfo) -> Self {
        Self { theme, about: about.clone(), state: State::new(about.started_unix_ns), area: Rect::ZERO }
    }

    pub fn row(&mut self, row: &Row) {
        self.state.now.connections.apply(row);
        self.state.now.journal.add(Entry::Row(Box::new(row.clone())));
    }

    pub fn notice(&mut self, unix_ns: i64, message: &str) {
        self.state.now.journal.add(Entry::Notice { unix_ns, message: printable(message) });
    }

    pub fn snapshot(&mut self, snapshot: Snapshot) {
        self.state.snapshot(snapshot);
    }

    /// Applies a snapshot that will not be shown. Only the chart and the rates need it.
    pub fn skip(&mut self, snapshot: &Snapshot) {
        self.state.now.skip(snapshot);
    }

    /// Marks the end of a recording.
    pub fn mark_ended(&mut self) {
        self.state.has_ended = true;
    }

    pub fn has_ended(&self) -> bool {
        self.state.has_ended
    }

    pub fn is_frozen(&self) -> bool {
        self.state.is_frozen()
    }

    /// Queries for the open connections on the screen.
    pub fn activity_queries(&self) -> Vec<ActivityQuery> {
        self.state.activity_queries()
    }

    /// Answers a query.
    pub fn activity(&mut self, query: &ActivityQuery, activity: Option<Activity>) {
        self.state.now.connections.set_activity(query, activity);
    }

    /// A sentence with the counts since the screen was reset. None if it was not.
    pub fn since_reset(&self, last: &Snapshot) -> Option<String> {
        self.state.since_reset(last)
    }

    pub fn key(&mut self, key: KeyEvent) -> Outcome {
        if key.kind == KeyEventKind::Release {
            return Outcome::Nothing;
        }
        let Some(command) = keys::command(self.state.mode, key) else { return Outcome::Nothing };
        let page = self.page();
        self.state.apply(command, page)
    }

    pub fn draw(&mut self, frame: &mut Frame<'_>) {
        self.area = frame.area();
        let layout = self.layout();
        let detail_offset = panes::draw(&self.scene(), frame, &layout);
        self.state.detail_offset = detail_offset;
    }

    fn layout(&self) -> Layout {
        let State { focus, is_widened, ref table, .. } = self.state;
        let header = panes::header_height(&self.scene(), self.area);
        Layout::new(self.area, focus, is_widened, table.rows().len(), header)
    }

    /// The number of rows in the focused pane, without its frame.
    fn page(&self) -> usize {
        let focus = self.state.focus;
        let titles = u16::from(focus == Pane::Groups);
        self.layout().area_of(focus).map_or(1, |area| area.height.saturating_sub(2 + titles).into())
    }

    fn scene(&self) -> Scene<'_> {
        let State { ref baseline, ref table, focus, is_widened, mode, detail_offset, has_ended, .. } = self.state;
        Scene {
            theme: self.theme,
            about: &self.about,
            picture: self.state.picture(),
            baseline: baseline.as_ref(),
            table,
            focus,
            mode,
            detail_offset,
            is_widened,
            is_frozen: self.state.is_frozen(),
            has_ended,
        }
    }
}

#[cfg(test)]
mod tests;
