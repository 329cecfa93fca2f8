//! The footer: the keys that do something right now, as many as have room.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::Tui;

pub(super) fn draw(tui: &Tui, frame: &mut Frame<'_>, area: Rect) {
    if area.is_empty() {
        return;
    }
    let mut line = Line::default();
    for (key, what) in tui.useful_keys() {
        let key = key_name(tui, key);
        if line.width() + key.chars().count() + what.chars().count() + 3 > usize::from(area.width) {
            continue;
        }
        line.push_span(Span::raw(" "));
        line.push_span(Span::styled(key, tui.theme.bold()));
        line.push_span(Span::styled(format!(" {what} "), tui.theme.dim()));
    }
    frame.buffer_mut().set_line(area.x, area.y, &line, area.width);
}

/// Arrows have no ASCII character of their own.
pub(super) fn key_name(tui: &Tui, key: &str) -> String {
    if tui.theme.has_unicode {
        key.into()
    } else {
        key.replace("↑↓", "Up Down").replace("↑ ↓", "Up Down").replace('⇧', "Shift-")
    }
}
