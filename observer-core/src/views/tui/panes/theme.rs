//! Colours and glyphs. Colour is never the only sign: new and reused have glyphs of their own, and losses are named. The
//! colours are from the terminal's palette of 16. Yellow and cyan are distinct with every kind of colour vision.

use ratatui::{
    style::{Color, Modifier, Style},
    symbols::border,
    text::Line,
    widgets::{Block, BorderType, Borders},
};

const ASCII_BORDER: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

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

    pub(crate) fn of_new(self) -> Style {
        self.colour(Color::Yellow)
    }

    pub(crate) fn of_reused(self) -> Style {
        self.colour(Color::Cyan)
    }

    /// Losses, which make the numbers incomplete.
    pub(crate) fn loss(self) -> Style {
        self.colour(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// A problem, or a healthy finding.
    pub(crate) fn finding(self, is_healthy: bool) -> Style {
        if is_healthy { self.dim() } else { self.colour(Color::Magenta) }
    }

    #[expect(clippy::unused_self, reason = "all styles come from the theme")]
    pub(crate) fn bold(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    #[expect(clippy::unused_self, reason = "all styles come from the theme")]
    pub(crate) fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    #[expect(clippy::unused_self, reason = "all styles come from the theme")]
    pub(crate) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(crate) fn frame(self, title: &str, style: Style) -> Block<'static> {
        let title = Line::styled(format!(" {} ", self.text(title)), style);
        let block = Block::new().borders(Borders::ALL).border_style(style).title(title);
        if self.has_unicode { block.border_type(BorderType::Rounded) } else { block.border_set(ASCII_BORDER) }
    }

    /// The pieces of a bar: new, reused, nothing.
    pub(crate) fn pieces(self) -> [char; 3] {
        if self.has_unicode { ['█', '▒', '·'] } else { ['#', '=', '.'] }
    }

    /// The heights of a chart column, from empty to full.
    pub(crate) fn heights(self) -> &'static [char] {
        if self.has_unicode {
            &[' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
        } else {
            &[' ', '.', ':', '|', '#']
        }
    }

    /// Replaces characters that a terminal without Unicode lacks.
    pub(crate) fn text(self, text: &str) -> String {
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
    /// The names of keys. Without Unicode arrows have names, since ASCII has no arrows up and down.
    pub(crate) fn keys(self, keys: &str) -> String {
        if self.has_unicode {
            keys.into()
        } else {
            keys.replace("↑↓", "Up Down").replace("↑ ↓", "Up Down").replace('⇧', "Shift-")
        }
    }
}
