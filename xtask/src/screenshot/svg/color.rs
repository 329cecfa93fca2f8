//! The colours of a terminal with a dark theme.

use terminal::vt100::Color;

pub(super) const BACKGROUND: &str = "#14171c";
pub(super) const FOREGROUND: &str = "#d0d4da";

/// The sixteen named colours.
const COLORS: [&str; 16] = [
    "#2a2e35", "#e06c75", "#8fc57c", "#e0b96a", "#64a6ec", "#c684dd", "#56b6c2", "#c3c8d0", "#6b7280", "#f0868f",
    "#a8dc94", "#f2cf86", "#86bdf7", "#dba0ee", "#77d2dd", "#ffffff",
];

/// None for the default colour.
pub(super) fn hex(color: Color) -> Option<String> {
    match color {
        Color::Default => None,
        Color::Rgb(red, green, blue) => Some(format!("#{red:02x}{green:02x}{blue:02x}")),
        Color::Idx(index @ 0..16) => Some(COLORS[usize::from(index)].into()),
        // xterm's cube of 6 x 6 x 6 colours, and its 24 greys.
        Color::Idx(index @ 16..232) => {
            let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
            let (cell, [red, green, blue]) = (index - 16, [36, 6, 1]);
            hex(Color::Rgb(level(cell / red), level(cell / green % 6), level(cell / blue % 6)))
        }
        Color::Idx(index) => {
            let grey = 8 + 10 * (index - 232);
            hex(Color::Rgb(grey, grey, grey))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_cube_matches_xterm() {
        assert_eq!(hex(Color::Idx(16)).as_deref(), Some("#000000"));
        assert_eq!(hex(Color::Idx(208)).as_deref(), Some("#ff8700"));
        assert_eq!(hex(Color::Idx(231)).as_deref(), Some("#ffffff"));
        assert_eq!(hex(Color::Idx(255)).as_deref(), Some("#eeeeee"));
    }
}
