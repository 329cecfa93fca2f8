//! A bar of new and reused exchanges.

use ratatui::text::Span;

use super::theme::Theme;
use crate::{group::Counts, views::words::bar_length};

/// New exchanges from the left, then reused ones. Either has at least one piece unless it is zero.
pub(super) fn share_bar(theme: Theme, counts: &Counts, width: usize) -> Vec<Span<'static>> {
    let [new_piece, reused_piece, nothing] = theme.pieces().map(String::from);
    let exchanges = counts.exchanges();
    if exchanges == 0 {
        return vec![Span::styled(nothing.repeat(width), theme.dim())];
    }
    let least = usize::from(counts.new > 0);
    let most = width.saturating_sub(usize::from(counts.reused > 0)).max(least);
    let new = bar_length(counts.new as f64 / exchanges as f64, width).clamp(least, most);
    vec![
        Span::styled(new_piece.repeat(new), theme.of_new()),
        Span::styled(reused_piece.repeat(width.saturating_sub(new)), theme.of_reused()),
    ]
}
