//! `-o tui`: the dashboard. State is fed with rows, notices and snapshots, and changed by keys; each pane draws what it
//! finds there, and nothing else. Pure: whoever has a terminal draws it there, and a test draws it into a buffer.

mod baseline;
mod chart;
mod column;
mod connections;
mod detail;
mod digits;
#[cfg(test)]
mod fixture;
mod footer;
mod groups;
mod header;
mod help;
mod history;
mod journal;
mod keys;
mod layout;
mod log;
mod part;
mod picture;
mod rates;
mod table;
mod theme;

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::Line,
    widgets::{Block, BorderType, Borders},
};

use crate::{
    model::{About, Activity},
    printable::printable,
    tracker::{Row, Snapshot},
    views::words,
};
use baseline::Baseline;
pub use connections::ActivityQuery;
use journal::{Entry, Journal};
use keys::Mode;
pub use keys::Outcome;
use layout::{Layout, PANES, Pane};
use picture::Picture;
use table::Table;
pub use theme::Theme;

/// Open connections that are listed of a group.
const LISTED: usize = 100;

pub struct Tui {
    theme: Theme,
    about: About,
    /// As of the last snapshot.
    now: Picture,
    /// What is shown while the screen is frozen.
    frozen: Option<Box<Picture>>,
    baseline: Option<Baseline>,
    table: Table,
    focus: Pane,
    is_widened: bool,
    mode: Mode,
    /// Lines of the detail above the first that is shown.
    detail_offset: usize,
    /// Of the screen, when it was last drawn.
    area: Rect,
    /// There will be no more: a recording is over.
    is_over: bool,
}

impl Tui {
    pub fn new(theme: Theme, about: &About) -> Self {
        Self {
            theme,
            about: about.clone(),
            now: Picture::new(about.started_unix_ns),
            frozen: None,
            baseline: None,
            table: Table::default(),
            focus: Pane::Groups,
            is_widened: false,
            mode: Mode::Look,
            detail_offset: 0,
            area: Rect::ZERO,
            is_over: false,
        }
    }

    pub fn row(&mut self, row: &Row) {
        self.now.connections.row(row);
        self.now.journal.add(Entry::Row(Box::new(row.clone())));
    }

    pub fn notice(&mut self, unix_ns: i64, message: &str) {
        self.now.journal.add(Entry::Notice { unix_ns, message: printable(message) });
    }

    /// Takes in a snapshot that is not going to be shown.
    pub fn skip(&mut self, snapshot: &Snapshot) {
        self.now.skip(snapshot);
    }

    pub fn snapshot(&mut self, snapshot: Snapshot) {
        self.now.take(snapshot);
        if self.frozen.is_none() {
            self.arrange();
        }
    }

    /// There will be no more.
    pub fn set_over(&mut self) {
        self.is_over = true;
    }

    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Open connections that are on the screen.
    pub fn activity_queries(&self) -> Vec<ActivityQuery> {
        if self.frozen.is_some() {
            return Vec::new();
        }
        let open = self.now.connections.of(self.table.selected_parts(&self.now), LISTED);
        open.into_iter().map(|(query, _)| query).collect()
    }

    pub fn activity(&mut self, query: &ActivityQuery, activity: Option<Activity>) {
        self.now.connections.activity(query, activity);
    }

    /// What was counted since the screen was reset, if it was.
    pub fn since_reset(&self, last: &Snapshot) -> Option<String> {
        let baseline = self.baseline.as_ref()?;
        let counts = last.totals.since(&baseline.totals);
        let ago = words::clock(last.duration_us.saturating_sub(baseline.at_us));
        let approximately = words::approximately(counts.is_exact());
        Some(format!(
            "since the reset of the screen, {ago} ago: {}, {approximately}{} new, {approximately}{} reused ({})",
            words::exchanges(counts.exchanges(), counts.is_exact()),
            counts.new,
            counts.reused,
            words::ratio(&counts)
        ))
    }

    fn picture(&self) -> &Picture {
        self.frozen.as_deref().unwrap_or(&self.now)
    }

    pub fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// As it is shown.
    fn journal(&mut self) -> &mut Journal {
        &mut self.frozen.as_deref_mut().unwrap_or(&mut self.now).journal
    }

    fn arrange(&mut self) {
        let picture = self.frozen.as_deref().unwrap_or(&self.now);
        self.table.arrange(picture, self.baseline.as_ref());
    }

    fn toggle_freeze(&mut self) {
        match self.frozen.take() {
            Some(frozen) => self.now.journal.hold_as(&frozen.journal),
            None => self.frozen = Some(Box::new(self.now.clone())),
        }
        self.arrange();
    }

    /// Counts from what is on the screen.
    fn reset(&mut self) {
        // Two of them would be a lot.
        self.baseline = None;
        let picture = self.picture();
        let Snapshot { duration_us, totals, .. } = &picture.snapshot;
        self.baseline = Some(Baseline::new(*duration_us, totals, &picture.families));
        self.arrange();
    }

    fn sort(&mut self, step: isize) {
        self.table.sort_by_next(step);
        self.arrange();
    }

    fn turn_order(&mut self) {
        self.table.greatest_first = !self.table.greatest_first;
        self.arrange();
    }

    fn filter(&mut self, change: impl FnOnce(&mut String)) {
        change(&mut self.table.filter);
        self.arrange();
    }

    fn focus_next(&mut self, step: usize) {
        let place = PANES.iter().position(|pane| *pane == self.focus).unwrap_or(0);
        self.focus = PANES[(place + step) % PANES.len()];
    }

    /// Closes what was opened last.
    fn back(&mut self) {
        if self.is_widened {
            self.is_widened = false;
        } else if !self.table.filter.is_empty() {
            self.filter(String::clear);
        } else {
            self.focus = Pane::Groups;
        }
    }

    /// Whether the selected row is of a name that is unfolded; None if there is nothing to unfold.
    fn can_unfold(&self) -> Option<bool> {
        let part = self.table.selected(self.picture(), None)?;
        (part.members > 0 || part.is_member).then(|| self.table.is_unfolded(&part))
    }

    fn unfold(&mut self) {
        if self.focus == Pane::Groups && self.can_unfold().is_some() {
            let picture = self.frozen.as_deref().unwrap_or(&self.now);
            self.table.fold_or_unfold(picture, self.baseline.as_ref());
        }
    }

    fn select(&mut self, by: isize) {
        let picture = self.frozen.as_deref().unwrap_or(&self.now);
        self.table.move_by(picture, by);
        self.detail_offset = 0;
    }

    fn select_first(&mut self) {
        self.table.select_first();
        self.detail_offset = 0;
    }

    /// What is read stays: the selection does not go on to another row meanwhile.
    fn scroll_detail(&mut self, by: isize) {
        let picture = self.frozen.as_deref().unwrap_or(&self.now);
        self.table.move_by(picture, 0);
        // The last line stays in sight: drawing knows how many there are.
        self.detail_offset = self.detail_offset.saturating_add_signed(by);
    }

    fn layout(&self) -> Layout {
        let header = header::height(self, self.area);
        Layout::new(self.area, self.focus, self.is_widened, self.table.rows().len(), header)
    }

    /// Rows of the pane that has the keys, without its frame.
    fn page(&self) -> usize {
        let titles = u16::from(self.focus == Pane::Groups);
        self.layout().area_of(self.focus).map_or(1, |area| area.height.saturating_sub(2 + titles).into())
    }

    pub fn draw(&mut self, frame: &mut Frame<'_>) {
        self.area = frame.area();
        let layout = self.layout();
        header::draw(self, frame, layout.header);
        for (pane, area) in layout.panes {
            match pane {
                Pane::Groups => groups::draw(self, frame, area),
                Pane::Chart => chart::draw(self, frame, area),
                Pane::Log => log::draw(self, frame, area),
                Pane::Detail => {
                    let offset = detail::draw(self, frame, area);
                    self.detail_offset = offset;
                }
            }
        }
        footer::draw(self, frame, layout.footer);
        if self.mode == Mode::Help {
            help::draw(self, frame);
        }
    }

    /// The frame of a pane.
    fn frame_of(&self, pane: Pane, title: &str) -> Block<'static> {
        let style = self.theme.frame(self.focus == pane);
        self.plain_frame(title, style)
    }

    fn plain_frame(&self, title: &str, style: Style) -> Block<'static> {
        let title = Line::styled(format!(" {} ", self.theme.text(title)), style);
        let block = Block::new().borders(Borders::ALL).border_style(style).title(title);
        if self.theme.has_unicode { block.border_type(BorderType::Rounded) } else { block.border_set(ASCII_BORDER) }
    }
}

/// Borders for terminals without Unicode.
const ASCII_BORDER: ratatui::symbols::border::Set<'static> = ratatui::symbols::border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

#[cfg(test)]
mod tests;
