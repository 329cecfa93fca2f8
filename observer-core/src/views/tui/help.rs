//! The help: every key, over the rest of the screen but for the footer.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::{Clear, Paragraph},
};

use super::{Tui, footer::key_name, keys::HELP};

/// Columns of the keys, and all, with its frame.
const KEYS: usize = 18;
const WIDTH: u16 = 60;

pub(super) fn draw(tui: &Tui, frame: &mut Frame<'_>) {
    let area = frame.area();
    let height = (HELP.len() as u16 + 2).min(area.height.saturating_sub(1));
    let width = WIDTH.min(area.width);
    let place = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    let block = tui.plain_frame("Keys", tui.theme.bold());
    let lines: Vec<Line<'_>> = HELP
        .iter()
        .map(|(key, what)| {
            let key = Span::styled(format!(" {:<KEYS$}", key_name(tui, key)), tui.theme.bold());
            Line::from(vec![key, Span::raw(*what)])
        })
        .collect();
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(block), place);
}
