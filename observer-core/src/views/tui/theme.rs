//! Colours and glyphs. Nothing is told by colour alone: new and reused have glyphs of their own, loss says its name. The
//! colours are the sixteen of the terminal's own palette; yellow and cyan are told apart with every kind of colour vision.

use ratatui::style::{Color, Modifier, Style};

/// What the terminal can show.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    pub has_colours: bool,
    pub has_unicode: bool,
}

impl Theme {
    fn colour(self, colour: Color) -> Style {
        if self.has_colours { Style::new().fg(colour) } else { Style::new() }
    }

    pub(super) fn of_new(self) -> Style {
        self.colour(Color::Yellow)
    }

    pub(super) fn of_reused(self) -> Style {
        self.colour(Color::Cyan)
    }

    /// What makes the numbers less than the whole truth.
    pub(super) fn loss(self) -> Style {
        self.colour(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// What is wrong, and what is as it should be.
    pub(super) fn finding(self, is_healthy: bool) -> Style {
        if is_healthy { self.dim() } else { self.colour(Color::Magenta) }
    }

    #[expect(clippy::unused_self, reason = "all of how it looks is asked of the theme")]
    pub(super) fn bold(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    #[expect(clippy::unused_self, reason = "all of how it looks is asked of the theme")]
    pub(super) fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    #[expect(clippy::unused_self, reason = "all of how it looks is asked of the theme")]
    pub(super) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The frame of the pane that has the keys, and of the others.
    pub(super) fn frame(self, has_focus: bool) -> Style {
        if has_focus { self.bold() } else { self.dim() }
    }

    /// A piece of a bar: of what is new, of what is reused, and of nothing.
    pub(super) fn pieces(self) -> [char; 3] {
        if self.has_unicode { ['█', '▒', '·'] } else { ['#', '=', '.'] }
    }

    /// Heights of a column, from nothing to full.
    pub(super) fn heights(self) -> &'static [char] {
        if self.has_unicode {
            &[' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
        } else {
            &[' ', '.', ':', '|', '#']
        }
    }

    /// Text whose characters a terminal without Unicode has as well.
    pub(super) fn text(self, text: &str) -> String {
        if self.has_unicode {
            return text.into();
        }
        let mut plain = String::with_capacity(text.len());
        for character in text.chars() {
            match character {
                '→' => plain.push_str("->"),
                '≈' => plain.push('~'),
                '–' | '▾' => plain.push('-'),
                '×' => plain.push('x'),
                '·' => plain.push('|'),
                '…' => plain.push_str(".."),
                '▼' => plain.push('v'),
                '▲' => plain.push('^'),
                '▸' => plain.push('+'),
                character if character.is_ascii() => plain.push(character),
                _ => plain.push('?'),
            }
        }
        plain
    }
}
