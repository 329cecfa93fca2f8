//! The help: every key, in a box over the panes.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::{Clear, Paragraph},
};

use super::theme::Theme;
use crate::views::tui::state::keys::KEYS;

/// Columns of the keys, and of the box.
const KEYS_WIDTH: usize = 18;
const WIDTH: u16 = 60;

pub(super) fn draw(theme: Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    // The footer stays visible.
    let height = (KEYS.len() as u16 + 2).min(area.height.saturating_sub(1));
    let width = WIDTH.min(area.width);
    let place = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    let lines: Vec<Line<'_>> = KEYS
        .iter()
        .map(|binding| {
            let keys = Span::styled(format!(" {:<KEYS_WIDTH$}", theme.keys(binding.keys)), theme.bold());
            Line::from(vec![keys, Span::raw(binding.help)])
        })
        .collect();
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(theme.frame("Keys", theme.bold())), place);
}
