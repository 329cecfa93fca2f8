//! The keys, in one table. Key presses are looked up in it, and the help and the footer show it.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What the owner of the terminal does after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Draw,
    /// Clear the screen first: another program may have written to it.
    Redraw,
    /// The key has no meaning.
    Nothing,
    Suspend,
    Quit,
}

/// How keys are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    Normal,
    /// Letters go into the filter.
    Filter,
    Help,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Quit,
    Suspend,
    Redraw,
    OpenHelp,
    CloseHelp,
    ToggleFreeze,
    Reset,
    SortByNext,
    SortByPrevious,
    ReverseSort,
    EditFilter,
    TypeIntoFilter(char),
    EraseFromFilter,
    KeepFilter,
    ClearFilter,
    /// Moves the selection, whichever pane has the focus.
    Select(Step),
    ToggleFold,
    /// Moves the selection or scrolls, in the pane that has the focus.
    Move(Step),
    FocusNext,
    FocusPrevious,
    ToggleWiden,
    ToggleHold,
    Back,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    code: KeyCode,
    has_control: bool,
}

/// A line of the help, with the keys that it describes.
pub(crate) struct Binding {
    pub(crate) keys: &'static str,
    pub(crate) help: &'static str,
    /// The footer names the first key of a command.
    pub(crate) commands: &'static [(Key, Command)],
}

const fn plain(code: KeyCode) -> Key {
    Key { code, has_control: false }
}

const fn letter(letter: char) -> Key {
    plain(KeyCode::Char(letter))
}

const fn control(letter: char) -> Key {
    Key { code: KeyCode::Char(letter), has_control: true }
}

/// Every key of the normal mode. The help fits the smallest screen, 60 columns and 15 rows: at most 12 lines, keys of at most
/// 17 columns and texts of at most 39.
pub(crate) const KEYS: [Binding; 12] = [
    Binding {
        keys: "q, Ctrl-C, Ctrl-Z",
        help: "quit and print the summary; suspend",
        commands: &[(letter('q'), Command::Quit), (control('c'), Command::Quit), (control('z'), Command::Suspend)],
    },
    Binding {
        keys: "Space",
        help: "freeze the screen; counting continues",
        commands: &[(letter(' '), Command::ToggleFreeze)],
    },
    Binding { keys: "r", help: "reset the counts on this screen only", commands: &[(letter('r'), Command::Reset)] },
    Binding {
        keys: "s S, o",
        help: "sort by next, previous column; reverse",
        commands: &[
            (letter('s'), Command::SortByNext),
            (letter('S'), Command::SortByPrevious),
            (letter('o'), Command::ReverseSort),
        ],
    },
    Binding {
        keys: "/",
        help: "filter rows by a text; Esc: show all",
        commands: &[(letter('/'), Command::EditFilter)],
    },
    Binding {
        keys: "Enter",
        help: "show or hide the processes of a name",
        commands: &[(plain(KeyCode::Enter), Command::ToggleFold)],
    },
    Binding {
        keys: "↑ ↓ PgUp PgDn",
        help: "move by a row (k j) or by a page",
        commands: &[
            (plain(KeyCode::Up), Command::Move(Step::Up)),
            (plain(KeyCode::Down), Command::Move(Step::Down)),
            (letter('k'), Command::Move(Step::Up)),
            (letter('j'), Command::Move(Step::Down)),
            (plain(KeyCode::PageUp), Command::Move(Step::PageUp)),
            (plain(KeyCode::PageDown), Command::Move(Step::PageDown)),
        ],
    },
    Binding {
        keys: "Home End",
        help: "go to the first or last row (g G)",
        commands: &[
            (plain(KeyCode::Home), Command::Move(Step::First)),
            (plain(KeyCode::End), Command::Move(Step::Last)),
            (letter('g'), Command::Move(Step::First)),
            (letter('G'), Command::Move(Step::Last)),
        ],
    },
    Binding {
        keys: "Tab, ⇧Tab",
        help: "go to the next or previous pane",
        commands: &[(plain(KeyCode::Tab), Command::FocusNext), (plain(KeyCode::BackTab), Command::FocusPrevious)],
    },
    Binding { keys: "w", help: "widen the pane to the whole screen", commands: &[(letter('w'), Command::ToggleWiden)] },
    Binding { keys: "p", help: "hold the log, or follow it again", commands: &[(letter('p'), Command::ToggleHold)] },
    Binding {
        keys: "?, Esc, Ctrl-L",
        help: "this help; back; redraw the screen",
        commands: &[
            (letter('?'), Command::OpenHelp),
            (plain(KeyCode::F(1)), Command::OpenHelp),
            (plain(KeyCode::Esc), Command::Back),
            // The usual key to redraw a terminal.
            (control('l'), Command::Redraw),
        ],
    },
];

/// The keys that edit the filter. Every other character goes into it.
const FILTER_KEYS: [(Key, Command); 5] = [
    (plain(KeyCode::Enter), Command::KeepFilter),
    (plain(KeyCode::Esc), Command::ClearFilter),
    (plain(KeyCode::Backspace), Command::EraseFromFilter),
    (plain(KeyCode::Up), Command::Select(Step::Up)),
    (plain(KeyCode::Down), Command::Select(Step::Down)),
];

/// None if the key has no meaning.
pub(crate) fn command(mode: Mode, key: KeyEvent) -> Option<Command> {
    let key = Key { code: key.code, has_control: key.modifiers.contains(KeyModifiers::CONTROL) };
    let find = |mode| bindings(mode).find(|(bound, _)| *bound == key).map(|(_, command)| command);
    match (mode, key.code) {
        // Keys with Ctrl mean the same in every mode.
        _ if key.has_control => find(Mode::Normal),
        (Mode::Normal, _) => find(Mode::Normal),
        (Mode::Filter, KeyCode::Char(character)) => Some(Command::TypeIntoFilter(character)),
        (Mode::Filter, _) => find(Mode::Filter),
        (Mode::Help, _) => find(Mode::Help).or(Some(Command::CloseHelp)),
    }
}

fn bindings(mode: Mode) -> impl Iterator<Item = (Key, Command)> {
    let normal = KEYS.iter().flat_map(|binding| binding.commands).filter(move |(_, command)| match mode {
        Mode::Normal => true,
        Mode::Filter => false,
        Mode::Help => *command == Command::Quit,
    });
    let filter = FILTER_KEYS.iter().filter(move |_| mode == Mode::Filter);
    normal.chain(filter).copied()
}

/// The first key of each command in this mode: `s o`, `↑↓`.
pub(crate) fn names(mode: Mode, commands: &[Command]) -> String {
    let key_of = |command: &Command| bindings(mode).find(|(_, bound)| bound == command).map(|(key, _)| key.name());
    let names: Vec<String> = commands.iter().filter_map(key_of).collect();
    let are_arrows = names.iter().all(|name| ["↑", "↓"].contains(&name.as_str()));
    names.join(if are_arrows { "" } else { " " })
}

impl Key {
    fn name(self) -> String {
        match self.code {
            KeyCode::Char(' ') => "Space".into(),
            KeyCode::Char(letter) if self.has_control => format!("Ctrl-{}", letter.to_ascii_uppercase()),
            KeyCode::Char(letter) => letter.into(),
            KeyCode::Up => "↑".into(),
            KeyCode::Down => "↓".into(),
            KeyCode::PageUp => "PgUp".into(),
            KeyCode::PageDown => "PgDn".into(),
            KeyCode::BackTab => "⇧Tab".into(),
            other => format!("{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_key() {
        for binding in KEYS {
            for (key, _) in binding.commands.iter().filter(|(key, _)| key.code != KeyCode::F(1)) {
                let text = format!("{} {}", binding.keys, binding.help);
                let mut words = text.split([' ', ',', '(', ')', ';']);
                assert!(words.any(|word| word == key.name()), "{}: {text}", key.name());
            }
        }
    }

    #[test]
    fn no_key_has_two_meanings() {
        for mode in [Mode::Normal, Mode::Filter, Mode::Help] {
            let keys: Vec<Key> = bindings(mode).map(|(key, _)| key).collect();
            assert!(keys.iter().enumerate().all(|(n, key)| !keys[..n].contains(key)), "{mode:?}");
        }
    }

    #[test]
    fn help_fits_the_smallest_screen() {
        for Binding { keys, help, .. } in KEYS {
            assert!(keys.chars().count() <= 17 && help.chars().count() <= 39, "{keys} {help}");
        }
    }
}
