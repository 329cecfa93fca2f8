//! The entries of the log, newest last. Bounded. Holding stops the display at a place; new entries are still added.

use std::collections::VecDeque;

use crate::{
    model::RowKind,
    tracker::Row,
    views::words::{self, time_of_day},
};

/// The number of entries kept. A frozen screen keeps its own copy of them.
const KEPT: usize = 2_500;

#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Row(Box<Row>),
    Notice { unix_ns: i64, message: String },
}

impl Entry {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Row(row) => words::row(row),
            Self::Notice { unix_ns, message } => format!("{} notice {message}", time_of_day(*unix_ns)),
        }
    }

    /// Whether the entry is a failed connect or a notice.
    pub(crate) fn is_remarkable(&self) -> bool {
        match self {
            Self::Row(row) => row.event.kind == RowKind::Failed,
            Self::Notice { .. } => true,
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    /// The number of entries ever added, including those dropped since.
    written: u64,
    /// The value of `written` up to which a held log is shown.
    held: Option<u64>,
}

impl Journal {
    pub(crate) fn add(&mut self, entry: Entry) {
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
        self.written += 1;
    }

    /// The number of entries added since the log was held. None if it is not held.
    pub(crate) fn held_back(&self) -> Option<u64> {
        self.held.map(|held| self.written.saturating_sub(held))
    }

    /// Adopts the place at which an earlier copy was held.
    pub(crate) fn hold_as(&mut self, other: &Self) {
        self.held = other.held;
    }

    /// The value of `written` up to which entries are shown.
    fn shown_until(&self) -> u64 {
        self.held.unwrap_or(self.written)
    }

    pub(crate) fn toggle_hold(&mut self) {
        self.held = if self.held.is_some() { None } else { Some(self.written) };
    }

    /// Scrolls by a number of entries and holds there. Scrolling past the newest entry follows the log again. `room` is
    /// the height of the pane: scrolling back stops when the oldest entries fill it.
    pub(crate) fn scroll(&mut self, by: i64, room: usize) {
        let oldest = self.written - self.entries.len() as u64;
        let target = self.shown_until().saturating_add_signed(by);
        self.held = (target < self.written).then_some(target.max(oldest + room as u64).min(self.written));
    }

    /// The last `room` entries up to the place at which the log is held.
    pub(crate) fn shown(&self, room: usize) -> impl Iterator<Item = &Entry> {
        let oldest = self.written - self.entries.len() as u64;
        let end = self.shown_until().saturating_sub(oldest) as usize;
        // The entries at the held place may have been dropped. The oldest remaining ones are shown then.
        let least = if oldest > 0 { room } else { 0 };
        let end = end.max(least).min(self.entries.len());
        self.entries.range(end.saturating_sub(room)..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(entries: u64) -> Journal {
        let mut journal = Journal::default();
        add(&mut journal, entries);
        journal
    }

    fn add(journal: &mut Journal, entries: u64) {
        for _ in 0..entries {
            let message = journal.written.to_string();
            journal.add(Entry::Notice { unix_ns: 0, message });
        }
    }

    fn shown(journal: &Journal, room: usize) -> Vec<&str> {
        let entries = journal.shown(room);
        entries.map(|entry| if let Entry::Notice { message, .. } = entry { message.as_str() } else { "" }).collect()
    }

    #[test]
    fn held_log_counts_the_entries_it_holds_back() {
        let mut journal = journal(5);
        journal.toggle_hold();
        add(&mut journal, 3);
        assert_eq!((journal.held_back(), shown(&journal, 2)), (Some(3), vec!["3", "4"]));
        journal.toggle_hold();
        assert_eq!((journal.held_back(), shown(&journal, 2)), (None, vec!["6", "7"]));
    }

    #[test]
    fn scrolling_back_holds_and_scrolling_past_the_newest_follows() {
        let mut journal = journal(9);
        journal.scroll(-4, 3);
        assert_eq!((journal.held_back(), shown(&journal, 3)), (Some(4), vec!["2", "3", "4"]));
        journal.scroll(2, 3);
        assert_eq!(shown(&journal, 1), ["6"]);
        journal.scroll(2, 3);
        assert_eq!(journal.held_back(), None);
        journal.scroll(i64::MIN, 3);
        assert_eq!(shown(&journal, 3), ["0", "1", "2"]);
    }

    #[test]
    fn held_log_stays_bounded() {
        let mut journal = journal(10);
        journal.toggle_hold();
        add(&mut journal, 2 * KEPT as u64);
        assert_eq!((journal.entries.len(), journal.held_back()), (KEPT, Some(2 * KEPT as u64)));
        assert_eq!(shown(&journal, 2), ["2510", "2511"]);
        assert_eq!(shown(&Journal::default(), 5), Vec::<&str>::new());
    }
}
