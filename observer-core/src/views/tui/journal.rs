//! What has happened, newest last: bounded. It can be held at a place to be read there, and goes on all the same.

use std::collections::VecDeque;

use crate::{
    model::RowKind,
    tracker::Row,
    views::words::{self, time},
};

/// Entries that are kept; twice while the screen is frozen.
const KEPT: usize = 2_500;

#[derive(Clone, Debug)]
pub(super) enum Entry {
    Row(Box<Row>),
    Notice { unix_ns: i64, message: String },
}

impl Entry {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Row(row) => words::row(row),
            Self::Notice { unix_ns, message } => format!("{} notice {message}", time(*unix_ns)),
        }
    }

    /// Whether a connect failed, or something has to be said.
    pub(super) fn is_remarkable(&self) -> bool {
        match self {
            Self::Row(row) => row.event.kind == RowKind::Failed,
            Self::Notice { .. } => true,
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    entries: VecDeque<Entry>,
    /// How many there have been, with those that are not kept any more.
    written: u64,
    /// How many of them are shown, if it is held there.
    held: Option<u64>,
}

impl Journal {
    pub(super) fn add(&mut self, entry: Entry) {
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
        self.written += 1;
    }

    /// Entries that came since it is held; None if it is not.
    pub(super) fn held_back(&self) -> Option<u64> {
        self.held.map(|held| self.written.saturating_sub(held))
    }

    /// Holds where this one was held, which was the same until some time ago.
    pub(super) fn hold_as(&mut self, other: &Self) {
        self.held = other.held;
    }

    /// How many are shown.
    fn shown_until(&self) -> u64 {
        self.held.unwrap_or(self.written)
    }

    pub(super) fn toggle_pause(&mut self) {
        self.held = if self.held.is_some() { None } else { Some(self.written) };
    }

    /// Goes back, or on, from where it is, and holds there; beyond the newest it goes on by itself. `room`: how many are
    /// shown at a time, which the oldest ones fill as well.
    pub(super) fn scroll(&mut self, by: i64, room: usize) {
        let oldest = self.written - self.entries.len() as u64;
        let target = self.shown_until().saturating_add_signed(by);
        self.held = (target < self.written).then_some(target.max(oldest + room as u64).min(self.written));
    }

    /// The last entries up to where it is held, as many as have room.
    pub(super) fn shown(&self, room: usize) -> impl Iterator<Item = &Entry> {
        let oldest = self.written - self.entries.len() as u64;
        let end = self.shown_until().saturating_sub(oldest) as usize;
        // What is held may be gone by now: then it is the oldest that are left.
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
    fn a_held_log_counts_what_it_holds_back() {
        let mut journal = journal(5);
        journal.toggle_pause();
        add(&mut journal, 3);
        assert_eq!((journal.held_back(), shown(&journal, 2)), (Some(3), vec!["3", "4"]));
        journal.toggle_pause();
        assert_eq!((journal.held_back(), shown(&journal, 2)), (None, vec!["6", "7"]));
    }

    #[test]
    fn scrolling_back_holds_and_scrolling_on_follows_again() {
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
    fn it_is_bounded_also_while_it_is_held() {
        let mut journal = journal(10);
        journal.toggle_pause();
        add(&mut journal, 2 * KEPT as u64);
        assert_eq!((journal.entries.len(), journal.held_back()), (KEPT, Some(2 * KEPT as u64)));
        assert_eq!(shown(&journal, 2), ["2510", "2511"]);
        assert_eq!(shown(&Journal::default(), 5), Vec::<&str>::new());
    }
}
