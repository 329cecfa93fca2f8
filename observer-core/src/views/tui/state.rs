//! The state of the dashboard, and the commands that change it. Drawing and colours are in the panes.

pub(super) mod baseline;
pub(super) mod column;
pub(super) mod connect_rates;
pub(super) mod connections;
pub(super) mod journal;
pub(super) mod keys;
pub(super) mod layout;
pub(super) mod picture;
pub(super) mod row_id;
pub(super) mod table;
pub(super) mod table_row;
pub(super) mod timeline;

use crate::{tracker::Snapshot, views::words};
use baseline::Baseline;
use connections::{ActivityQuery, LISTED};
use keys::{Command, Mode, Outcome, Step};
use layout::{PANES, Pane};
use picture::Picture;
use table::Table;

/// A step longer than any list.
const TO_THE_END: isize = isize::MAX / 2;

pub(super) struct State {
    /// As of the last snapshot.
    pub(super) now: Picture,
    /// Shown instead while the screen is frozen.
    frozen: Option<Box<Picture>>,
    pub(super) baseline: Option<Baseline>,
    pub(super) table: Table,
    pub(super) focus: Pane,
    pub(super) is_widened: bool,
    pub(super) mode: Mode,
    /// The number of lines scrolled off the top of the detail.
    pub(super) detail_offset: usize,
    /// Whether a recording has ended. No more rows and snapshots follow.
    pub(super) has_ended: bool,
}

impl State {
    pub(super) fn new(started_unix_ns: i64) -> Self {
        Self {
            now: Picture::new(started_unix_ns),
            frozen: None,
            baseline: None,
            table: Table::default(),
            focus: Pane::Groups,
            is_widened: false,
            mode: Mode::Normal,
            detail_offset: 0,
            has_ended: false,
        }
    }

    pub(super) fn snapshot(&mut self, snapshot: Snapshot) {
        self.now.apply(snapshot);
        if self.frozen.is_none() {
            self.arrange();
        }
    }

    pub(super) fn activity_queries(&self) -> Vec<ActivityQuery> {
        if self.frozen.is_some() {
            return Vec::new();
        }
        let open = self.now.connections.oldest(self.table.selected_groups(&self.now), LISTED);
        open.into_iter().map(|(query, _)| query).collect()
    }

    pub(super) fn since_reset(&self, last: &Snapshot) -> Option<String> {
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

    /// The picture on the screen.
    pub(super) fn picture(&self) -> &Picture {
        self.frozen.as_deref().unwrap_or(&self.now)
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// `page`: the number of rows of the focused pane.
    pub(super) fn apply(&mut self, command: Command, page: usize) -> Outcome {
        match command {
            Command::Quit => return Outcome::Quit,
            Command::Suspend => return Outcome::Suspend,
            Command::Redraw => return Outcome::Redraw,
            Command::OpenHelp => self.mode = Mode::Help,
            Command::EditFilter => self.mode = Mode::Filter,
            Command::CloseHelp | Command::KeepFilter => self.mode = Mode::Normal,
            Command::ToggleFreeze => self.toggle_freeze(),
            Command::Reset => self.reset(),
            Command::SortByNext => self.sort_by_next(1),
            Command::SortByPrevious => self.sort_by_next(-1),
            Command::ReverseSort => {
                self.table.is_descending = !self.table.is_descending;
                self.arrange();
            }
            Command::TypeIntoFilter(character) => self.change_filter(|filter| filter.push(character)),
            Command::EraseFromFilter => self.change_filter(|filter| {
                filter.pop();
            }),
            Command::ClearFilter => {
                self.change_filter(String::clear);
                self.mode = Mode::Normal;
            }
            Command::Select(step) => self.select(step, page),
            Command::ToggleFold => self.toggle_fold(),
            Command::Move(step) => return self.move_in_focus(step, page),
            Command::FocusNext => self.focus_next(1),
            Command::FocusPrevious => self.focus_next(PANES.len() - 1),
            Command::ToggleWiden => self.is_widened = !self.is_widened,
            Command::ToggleHold => self.journal().toggle_hold(),
            Command::Back => self.back(),
        }
        Outcome::Draw
    }

    fn move_in_focus(&mut self, step: Step, page: usize) -> Outcome {
        match self.focus {
            Pane::Groups => self.select(step, page),
            Pane::Detail => self.scroll_detail(distance(step, page)),
            Pane::Log => self.journal().scroll(distance(step, page) as i64, page),
            Pane::Chart => return Outcome::Nothing,
        }
        Outcome::Draw
    }

    fn select(&mut self, step: Step, page: usize) {
        if step == Step::First {
            self.table.select_first();
        } else {
            let picture = self.frozen.as_deref().unwrap_or(&self.now);
            self.table.move_by(picture, distance(step, page));
        }
        self.detail_offset = 0;
    }

    /// Scrolling pins the selection. Otherwise a new first row would replace the detail being read.
    fn scroll_detail(&mut self, by: isize) {
        let picture = self.frozen.as_deref().unwrap_or(&self.now);
        self.table.move_by(picture, 0);
        // Drawing bounds the offset, because only it knows the number of lines.
        self.detail_offset = self.detail_offset.saturating_add_signed(by);
    }

    /// The journal on the screen.
    fn journal(&mut self) -> &mut journal::Journal {
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

    /// Counts from the picture on the screen.
    fn reset(&mut self) {
        // Frees the old baseline before the new one is made.
        self.baseline = None;
        let picture = self.picture();
        let Snapshot { duration_us, totals, .. } = &picture.snapshot;
        self.baseline = Some(Baseline::new(*duration_us, totals, &picture.families));
        self.arrange();
    }

    fn sort_by_next(&mut self, step: isize) {
        self.table.sort_by_next(step);
        self.arrange();
    }

    fn change_filter(&mut self, change: impl FnOnce(&mut String)) {
        change(&mut self.table.filter);
        self.arrange();
    }

    fn focus_next(&mut self, step: usize) {
        let place = PANES.iter().position(|pane| *pane == self.focus).unwrap_or(0);
        self.focus = PANES[(place + step) % PANES.len()];
    }

    /// Leaves the widened pane, else clears the filter, else focuses the table.
    fn back(&mut self) {
        if self.is_widened {
            self.is_widened = false;
        } else if !self.table.filter.is_empty() {
            self.change_filter(String::clear);
        } else {
            self.focus = Pane::Groups;
        }
    }

    fn toggle_fold(&mut self) {
        if self.focus == Pane::Groups && self.table.is_selection_unfolded(self.picture()).is_some() {
            let picture = self.frozen.as_deref().unwrap_or(&self.now);
            self.table.toggle_fold(picture, self.baseline.as_ref());
        }
    }
}

fn distance(step: Step, page: usize) -> isize {
    let page = page.max(1).cast_signed();
    match step {
        Step::Up => -1,
        Step::Down => 1,
        Step::PageUp => -page,
        Step::PageDown => page,
        Step::First => -TO_THE_END,
        Step::Last => TO_THE_END,
    }
}
