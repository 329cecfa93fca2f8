//! A read-only view of the dashboard's state, from which the panes draw.

use ratatui::widgets::Block;

use super::theme::Theme;
use crate::{
    group::Counts,
    model::WatchInfo,
    views::tui::state::{
        baseline::Baseline, keys::Mode, layout::Pane, picture::Picture, table::Table, table_row::TableRow,
    },
};

pub(crate) struct Scene<'a> {
    pub(crate) theme: Theme,
    pub(crate) about: &'a WatchInfo,
    pub(crate) picture: &'a Picture,
    /// None unless the screen was reset.
    pub(crate) baseline: Option<&'a Baseline>,
    pub(crate) table: &'a Table,
    pub(crate) focus: Pane,
    pub(crate) mode: Mode,
    pub(crate) detail_offset: usize,
    pub(crate) is_widened: bool,
    pub(crate) is_frozen: bool,
    pub(crate) has_ended: bool,
}

impl<'a> Scene<'a> {
    /// Counts of all groups since the last reset.
    pub(super) fn totals(&self) -> Counts {
        self.picture.totals(self.baseline)
    }

    pub(super) fn selected(&self) -> Option<TableRow<'a>> {
        self.table.selected(self.picture, self.baseline)
    }

    /// The frame of a pane, bold if it has the focus.
    pub(super) fn frame_of(&self, pane: Pane, title: &str) -> Block<'static> {
        let style = if self.focus == pane { self.theme.bold() } else { self.theme.dim() };
        self.theme.frame(title, style)
    }
}
