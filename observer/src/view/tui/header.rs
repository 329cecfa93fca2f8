//! The header: what is watched and for how long, how many exchanges were new and how many reused, and what was missed.

use std::fmt::Write as _;

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{Tui, digits, picture::Picture};
use crate::{
    event::LossSample,
    tracker::Counts,
    view::words::{self, clock, pieces, watched},
};

/// Rows of the large numbers.
const LARGE: u16 = digits::HEIGHT + 3;

pub(super) fn draw(tui: &Tui, frame: &mut Frame<'_>, area: Rect) {
    if area.is_empty() {
        return;
    }
    let mut lines = vec![title(tui, area.width)];
    let loss = loss(tui.picture());
    let room = area.height.saturating_sub(u16::from(loss.is_some()));
    if room >= LARGE {
        lines.extend(large(tui));
        lines.push(bar(tui, area.width));
    } else {
        if room >= 2 {
            lines.push(numbers(tui, area.width));
        }
        if room >= 3 {
            lines.push(bar(tui, area.width));
        }
    }
    lines.truncate(room.into());
    lines.extend(loss.map(|loss| Line::styled(tui.theme.text(&format!(" LOST {loss}")), tui.theme.loss())));
    for (line, y) in lines.iter().zip(area.top()..area.bottom()) {
        frame.buffer_mut().set_line(area.x, y, line, area.width);
    }
}

/// What was missed, in a few words: the summary has more.
pub(super) fn loss(picture: &Picture) -> Option<String> {
    let LossSample { rows, untracked, mptcp, counts, hook_skips: _, unrecovered_skips } = picture.snapshot.loss;
    let all = [
        (untracked, "connections not counted"),
        (mptcp, "of MPTCP not counted"),
        (counts, "counts"),
        (rows, "rows not shown"),
        (unrecovered_skips, "or more hooks skipped"),
    ];
    let lost: Vec<String> =
        all.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")).collect();
    (!lost.is_empty()).then(|| lost.join(", "))
}

/// What is watched, and on the right for how long.
fn title(tui: &Tui, width: u16) -> Line<'static> {
    let theme = tui.theme;
    let picture = tui.picture();
    let mut right = String::new();
    if tui.is_frozen() {
        right.push_str("FROZEN  ");
    }
    if let Some(baseline) = &tui.baseline {
        let ago = picture.snapshot.duration_us.saturating_sub(baseline.at_us);
        let _ = write!(right, "since reset {}  ", clock(ago));
    }
    if tui.is_over {
        right.push_str("END  ");
    }
    right.push_str(&clock(picture.snapshot.duration_us));
    right.push(' ');
    let watched = theme.text(&watched(&tui.about));
    let by = theme.text(&format!(" · {}", tui.about.hooks.join(" + ")));
    let room = usize::from(width).saturating_sub(right.chars().count());
    let mut spans = vec![Span::styled(" tcp-reuse-watch ", theme.selected()), Span::raw(" ")];
    spans.push(Span::styled(watched, theme.bold()));
    spans.push(Span::styled(by, theme.dim()));
    let mut left = Line::from(spans);
    let taken = left.width();
    if taken + 1 > room {
        left = Line::styled(shorten(tui, &left.to_string(), room.saturating_sub(1)), theme.bold());
    }
    let gap = room.saturating_sub(left.width());
    left.push_span(Span::raw(" ".repeat(gap)));
    left.push_span(Span::styled(right, theme.bold()));
    left
}

fn shorten(tui: &Tui, text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.into();
    }
    let mark = tui.theme.text("…");
    let kept: String = text.chars().take(room.saturating_sub(mark.chars().count())).collect();
    kept + &mark
}

/// Sockets and connects, which no reset changes.
fn others(tui: &Tui, counts: &Counts) -> Vec<[Span<'static>; 2]> {
    let theme = tui.theme;
    let picture = tui.picture();
    let time_wait = picture.snapshot.time_wait().map_or_else(|| theme.text("–"), |sockets| sockets.to_string());
    let named = |name: &'static str, number: String| [Span::styled(name, theme.dim()), Span::raw(number)];
    let mut others =
        vec![named(" OPEN ", picture.snapshot.totals.open().to_string()), named("  TIME_WAIT ", time_wait)];
    if counts.failed() > 0 {
        others.push(named("  FAILED ", counts.failed().to_string()));
    }
    others
}

/// The numbers with their names: the number, and how it looks.
fn named(tui: &Tui, counts: &Counts) -> [(&'static str, String, Style); 3] {
    let approximately = if counts.inexact > 0 { "≈" } else { "" };
    let number = |number: u64| tui.theme.text(&format!("{approximately}{number}"));
    [
        ("NEW", number(counts.new), tui.theme.of_new()),
        ("REUSED", number(counts.reused), tui.theme.of_reused()),
        ("RATIO", tui.theme.text(&words::ratio(counts)), Style::new()),
    ]
}

/// As many as have room: a number that is cut off would be another one.
fn numbers(tui: &Tui, width: u16) -> Line<'static> {
    let counts = tui.picture().totals(tui.baseline.as_ref());
    let mut line = Line::from(" ");
    for (name, number, style) in named(tui, &counts) {
        line.push_span(Span::styled(format!("{name} "), style));
        line.push_span(Span::styled(number, style.patch(tui.theme.bold())));
        line.push_span(Span::raw("  "));
    }
    for [name, number] in others(tui, &counts) {
        if line.width() + name.width() + number.width() <= width.into() {
            line.extend([name, number]);
        }
    }
    line
}

/// The same in large digits.
fn large(tui: &Tui) -> Vec<Line<'static>> {
    let counts = tui.picture().totals(tui.baseline.as_ref());
    let mut lines = vec![Line::from(" "); usize::from(digits::HEIGHT) + 1];
    for (name, number, style) in named(tui, &counts) {
        let rows = digits::large(&number, tui.theme.has_unicode);
        let width = rows[0].chars().count().max(name.len());
        for (line, row) in lines.iter_mut().zip(rows) {
            line.push_span(Span::styled(format!("{row:<width$}    "), style));
        }
        lines[usize::from(digits::HEIGHT)].push_span(Span::styled(format!("{name:<width$}    "), style));
    }
    lines[usize::from(digits::HEIGHT)].extend(others(tui, &counts).into_iter().flatten());
    lines
}

/// The share of what is new, and of what is reused, as long as the screen is wide.
fn bar(tui: &Tui, width: u16) -> Line<'static> {
    let counts = tui.picture().totals(tui.baseline.as_ref());
    share(tui, &counts, usize::from(width.saturating_sub(2))).into_iter().fold(Line::from(" "), |mut line, span| {
        line.push_span(span);
        line
    })
}

/// A bar of this width: new from the left, then reused. What there is of either has at least one piece.
pub(super) fn share(tui: &Tui, counts: &Counts, width: usize) -> Vec<Span<'static>> {
    let theme = tui.theme;
    let [new_piece, reused_piece, nothing] = theme.pieces().map(String::from);
    let exchanges = counts.exchanges();
    if exchanges == 0 {
        return vec![Span::styled(nothing.repeat(width), theme.dim())];
    }
    let least = usize::from(counts.new > 0);
    let most = width.saturating_sub(usize::from(counts.reused > 0)).max(least);
    let new = pieces(counts.new as f64 / exchanges as f64, width).clamp(least, most);
    vec![
        Span::styled(new_piece.repeat(new), theme.of_new()),
        Span::styled(reused_piece.repeat(width.saturating_sub(new)), theme.of_reused()),
    ]
}
