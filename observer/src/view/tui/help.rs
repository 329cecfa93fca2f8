//! The help: every key, over the rest of the screen.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::{Clear, Paragraph},
};

use super::{Tui, footer::key_name, keys::HELP};

/// Columns that it needs at most, with its frame.
const WIDTH: u16 = 68;

pub(super) fn draw(tui: &Tui, frame: &mut Frame<'_>) {
    let area = frame.area();
    let height = (HELP.len() as u16 + 2).min(area.height);
    let width = WIDTH.min(area.width);
    let place = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    let block = tui.plain_frame("Keys", tui.theme.bold());
    let lines: Vec<Line<'_>> = HELP
        .iter()
        .map(|(key, what)| {
            let key = Span::styled(format!(" {:<15}", key_name(tui, key)), tui.theme.bold());
            Line::from(vec![key, Span::raw(*what)])
        })
        .collect();
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(block), place);
}
