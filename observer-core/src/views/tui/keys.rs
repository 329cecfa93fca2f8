//! What keys do, and which of them work at the moment.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{
    Tui,
    layout::{PANES, Pane},
};

/// What the one who reads keys has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Draw,
    /// Everything, on an empty screen: another program may have written there.
    Redraw,
    /// It meant nothing.
    Nothing,
    Suspend,
    Quit,
}

/// What keys are for at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    #[default]
    Look,
    /// The filter is being typed.
    Type,
    Help,
}

/// Every key, for the help: as many rows, and as long, as the smallest screen has room for.
pub(super) const HELP: [(&str, &str); 12] = [
    ("q, Ctrl-C, Ctrl-Z", "end with the summary; suspend"),
    ("Space", "freeze the picture; counting goes on"),
    ("r", "count from now on, on this screen only"),
    ("s S, o", "sort by next, previous column; reverse"),
    ("/", "only rows with this text; Esc: all"),
    ("Enter", "unfold the processes of a name, or fold"),
    ("↑ ↓ PgUp PgDn", "a row up, down (k j); a page"),
    ("Home End", "to the first, to the last (g G)"),
    ("Tab, ⇧Tab", "the next pane, the one before"),
    ("w", "the pane on all of the screen, and back"),
    ("p", "hold the log, or let it go on"),
    ("?, Esc, Ctrl-L", "this help; back; draw all afresh"),
];

impl Tui {
    pub fn key(&mut self, key: KeyEvent) -> Outcome {
        if key.kind == KeyEventKind::Release {
            return Outcome::Nothing;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Outcome::Quit,
                KeyCode::Char('z') => Outcome::Suspend,
                // A terminal's own way to ask for a fresh screen.
                KeyCode::Char('l') => Outcome::Redraw,
                _ => Outcome::Nothing,
            };
        }
        match self.mode {
            Mode::Look => self.look(key.code),
            Mode::Type => self.type_filter(key.code),
            Mode::Help => match key.code {
                KeyCode::Char('q') => Outcome::Quit,
                _ => self.enter(Mode::Look),
            },
        }
    }

    fn enter(&mut self, mode: Mode) -> Outcome {
        self.mode = mode;
        Outcome::Draw
    }

    fn look(&mut self, key: KeyCode) -> Outcome {
        match key {
            KeyCode::Char('q') => return Outcome::Quit,
            KeyCode::Char('?') | KeyCode::F(1) => return self.enter(Mode::Help),
            KeyCode::Char('/') => return self.enter(Mode::Type),
            KeyCode::Char(' ') => self.toggle_freeze(),
            KeyCode::Char('r') => self.reset(),
            KeyCode::Char('s') => self.sort(1),
            KeyCode::Char('S') => self.sort(-1),
            KeyCode::Char('o') => self.turn_order(),
            KeyCode::Char('p') => self.journal().toggle_pause(),
            KeyCode::Char('w') => self.is_widened = !self.is_widened,
            KeyCode::Tab => self.focus_next(1),
            KeyCode::BackTab => self.focus_next(PANES.len() - 1),
            KeyCode::Enter => self.unfold(),
            KeyCode::Esc => self.back(),
            _ => return self.navigate(key),
        }
        Outcome::Draw
    }

    fn navigate(&mut self, key: KeyCode) -> Outcome {
        if self.focus == Pane::Groups && matches!(key, KeyCode::Home | KeyCode::Char('g')) {
            self.select_first();
            return Outcome::Draw;
        }
        let page = self.page().max(1).cast_signed();
        // Further than anything goes.
        let all = isize::MAX / 2;
        let by = match key {
            KeyCode::Up | KeyCode::Char('k') => -1,
            KeyCode::Down | KeyCode::Char('j') => 1,
            KeyCode::PageUp => -page,
            KeyCode::PageDown => page,
            KeyCode::Home | KeyCode::Char('g') => -all,
            KeyCode::End | KeyCode::Char('G') => all,
            _ => return Outcome::Nothing,
        };
        match self.focus {
            Pane::Groups => self.select(by),
            Pane::Detail => self.scroll_detail(by),
            Pane::Log => {
                let page = self.page();
                self.journal().scroll(by as i64, page);
            }
            Pane::Chart => return Outcome::Nothing,
        }
        Outcome::Draw
    }

    fn type_filter(&mut self, key: KeyCode) -> Outcome {
        match key {
            KeyCode::Char(character) => self.filter(|filter| filter.push(character)),
            KeyCode::Backspace => self.filter(|filter| {
                filter.pop();
            }),
            KeyCode::Esc => {
                self.filter(String::clear);
                self.mode = Mode::Look;
            }
            KeyCode::Enter => self.mode = Mode::Look,
            KeyCode::Up => self.select(-1),
            KeyCode::Down => self.select(1),
            _ => return Outcome::Nothing,
        }
        Outcome::Draw
    }

    /// Keys that do something now, the most wanted first.
    pub(super) fn useful_keys(&self) -> Vec<(&'static str, &'static str)> {
        match self.mode {
            Mode::Help => return vec![("any key", "close"), ("q", "quit")],
            Mode::Type => {
                let mut keys = vec![("Enter", "keep"), ("Esc", "clear")];
                if !self.table.rows().is_empty() {
                    keys.push(("↑↓", "select"));
                }
                return keys;
            }
            Mode::Look => {}
        }
        let mut keys = vec![("q", "quit"), ("?", "help")];
        if !self.table.filter.is_empty() {
            keys.push(("Esc", "no filter"));
        }
        let has_rows = !self.table.rows().is_empty();
        match self.focus {
            Pane::Groups if has_rows => {
                keys.push(("↑↓", "select"));
                if let Some(is_unfolded) = self.can_unfold() {
                    keys.push(("Enter", if is_unfolded { "fold" } else { "unfold" }));
                }
                keys.extend([("/", "filter"), ("s o", "sort")]);
            }
            Pane::Detail if has_rows => keys.push(("↑↓", "scroll")),
            Pane::Log => {
                keys.push(("↑↓", "scroll"));
                keys.push(("p", if self.picture().journal.held_back().is_some() { "follow" } else { "hold" }));
            }
            _ => {}
        }
        keys.push(("Tab", "pane"));
        keys.push(("Space", if self.is_frozen() { "go on" } else { "freeze" }));
        keys.extend([("w", if self.is_widened { "back" } else { "widen" }), ("r", "reset")]);
        keys
    }
}
