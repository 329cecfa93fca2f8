//! The chart: new and reused exchanges per second over the last minutes. Each has its own scale, because a burst of new
//! connections would be invisible beside a thousand times as many reused exchanges.

use ratatui::{Frame, layout::Rect, style::Style, text::Line};

use super::scene::Scene;
use crate::views::{
    tui::state::{layout::Pane, timeline::ExchangeRate},
    words::{bar_length, clock, fit_number},
};

/// Columns of the labels on the left.
const LABELS: u16 = 15;

/// One of the two halves of the chart.
struct Strip {
    name: &'static str,
    style: Style,
    rate: fn(&ExchangeRate) -> f64,
}

pub(super) fn draw(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let picture = scene.picture;
    let columns = usize::from(area.width.saturating_sub(2 + LABELS));
    let seconds = picture.timeline.seconds_per_column(columns);
    let rates = picture.timeline.columns(seconds, columns);
    let span = clock((seconds * rates.len()) as u64 * 1_000_000);
    let title = match seconds {
        1 => format!("Exchanges per second, last {span}"),
        _ => format!("Exchanges per second, last {span}, {seconds} s a column"),
    };
    let block = scene.frame_of(Pane::Chart, &title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let new = Strip { name: "new", style: scene.theme.of_new(), rate: |rate| rate.new };
    let reused = Strip { name: "reused", style: scene.theme.of_reused(), rate: |rate| rate.reused };
    let upper = Rect { height: inner.height / 2, ..inner };
    let lower = Rect { y: upper.bottom(), height: inner.height - upper.height, ..inner };
    strip(scene, frame, upper, &rates, &new);
    strip(scene, frame, lower, &rates, &reused);
}

fn strip(
    scene: &Scene<'_>,
    frame: &mut Frame<'_>,
    area: Rect,
    rates: &[ExchangeRate],
    Strip { name, style, rate }: &Strip,
) {
    if area.is_empty() {
        return;
    }
    let values: Vec<f64> = rates.iter().map(rate).collect();
    let most = values.iter().copied().fold(0.0, f64::max);
    let last = values.last().copied().unwrap_or(0.0);
    let width = usize::from(LABELS - 1);
    let first_line = format!("{:<7}{:>7}", name, short(last));
    let labels = [first_line, format!("{:<7}{:>7}", "most", short(most))];
    for (label, y) in labels.iter().zip(area.top()..area.bottom()) {
        frame.buffer_mut().set_line(area.x, y, &Line::styled(format!("{label:<width$}"), *style), area.width);
    }
    let heights = scene.theme.heights();
    let steps = heights.len() - 1;
    let full = steps * usize::from(area.height);
    // Filled from the right: the newest column is the last.
    let right = area.right();
    for (value, x) in values.iter().rev().zip((area.x + LABELS.min(area.width)..right).rev()) {
        let filled = if most > 0.0 { bar_length(value / most, full) } else { 0 };
        for (row, y) in (area.top()..area.bottom()).rev().enumerate() {
            let height = filled.saturating_sub(row * steps).min(steps);
            if let Some(cell) = frame.buffer_mut().cell_mut((x, y)) {
                cell.set_char(heights[height]).set_style(*style);
            }
        }
    }
}

/// Rates below 10 have a decimal. At most 6 characters.
fn short(rate: f64) -> String {
    let decimals = usize::from(rate > 0.0 && rate < 9.95);
    fit_number(rate, decimals, 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_at_most_six_characters() {
        let all = [0.0, 0.31, 9.99, 12.4, 99_999.0, 123_456.0, 12_345_678.0].map(short);
        assert_eq!(all, ["0", "0.3", "10", "12", "99999", "123456", "12.35M"]);
    }
}
