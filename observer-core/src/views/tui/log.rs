//! The log: opens and closes as they happen, newest last.

use ratatui::{Frame, layout::Rect, style::Style, text::Line};

use super::{Tui, layout::Pane};

pub(super) fn draw(tui: &Tui, frame: &mut Frame<'_>, area: Rect) {
    let title = match tui.picture().journal.held_back() {
        None => "Log".to_string(),
        Some(held_back) => format!("Log, held: {held_back} more"),
    };
    let block = tui.frame_of(Pane::Log, &title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    for (entry, y) in tui.picture().journal.shown(inner.height.into()).zip(inner.top()..inner.bottom()) {
        let style = if entry.is_remarkable() { tui.theme.bold() } else { Style::new() };
        let line = Line::styled(tui.theme.text(&entry.text()), style);
        frame.buffer_mut().set_line(inner.x, y, &line, inner.width);
    }
}
