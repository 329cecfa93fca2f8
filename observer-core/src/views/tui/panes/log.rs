//! The log: opens, closes and notices as they happen, newest last.

use ratatui::{Frame, layout::Rect, style::Style, text::Line};

use super::scene::Scene;
use crate::views::tui::state::layout::Pane;

pub(super) fn draw(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let Scene { theme, picture, .. } = *scene;
    let title = match picture.journal.held_back() {
        None => "Log".to_string(),
        Some(held_back) => format!("Log, held: {held_back} more"),
    };
    let block = scene.frame_of(Pane::Log, &title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    for (entry, y) in picture.journal.shown(inner.height.into()).zip(inner.top()..inner.bottom()) {
        let style = if entry.is_remarkable() { theme.bold() } else { Style::new() };
        let line = Line::styled(theme.text(&entry.text()), style);
        frame.buffer_mut().set_line(inner.x, y, &line, inner.width);
    }
}
