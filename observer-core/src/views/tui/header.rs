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
    group::Counts,
    model::LossSample,
    views::words::{self, clock, pieces, watched},
};

/// Room for any number.
const EXACT: usize = 20;

/// Rows of the large numbers.
const LARGE: u16 = digits::HEIGHT + 3;

/// How many rows it has on a screen of this size.
pub(super) fn height(tui: &Tui, Rect { width, height, .. }: Rect) -> u16 {
    let rows = match height {
        0..=5 => 1,
        6..=17 => 2,
        34.. if large(tui, width).is_some() => LARGE,
        _ => 3,
    };
    (rows + u16::from(!losses(tui.picture()).is_empty())).min(height)
}

pub(super) fn draw(tui: &Tui, frame: &mut Frame<'_>, area: Rect) {
    let mut lines = vec![title(tui, area.width)];
    let losses = losses(tui.picture());
    let room = area.height.saturating_sub(u16::from(!losses.is_empty()));
    let large = if room >= LARGE { large(tui, area.width) } else { None };
    lines.extend(large.unwrap_or_else(|| vec![numbers(tui, area.width)]));
    lines.push(bar(tui, area.width));
    lines.truncate(room.into());
    if !losses.is_empty() {
        lines.push(Line::styled(lost(tui, &losses, area.width.into()), tui.theme.loss()));
    }
    for (line, y) in lines.iter().zip(area.top()..area.bottom()) {
        frame.buffer_mut().set_line(area.x, y, line, area.width);
    }
}

/// What was missed, in a few words each: the summary has more.
fn losses(picture: &Picture) -> Vec<String> {
    let LossSample { rows, untracked, mptcp, counts, hook_skips: _, unrecovered_skips } = picture.snapshot.loss;
    let all = [
        (untracked, "connections not counted"),
        (mptcp, "of MPTCP not counted"),
        (counts, "counts"),
        (rows, "rows not shown"),
        (unrecovered_skips, "or more hooks skipped"),
    ];
    all.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")).collect()
}

/// As many of the losses as have room, whole, and a mark where there are more.
fn lost(tui: &Tui, losses: &[String], width: usize) -> String {
    let line = |shown: usize| {
        let mark = if shown < losses.len() { vec!["…".to_string()] } else { Vec::new() };
        tui.theme.text(&format!(" LOST {}", [&losses[..shown], &mark].concat().join(", ")))
    };
    (1..=losses.len()).rev().map(line).find(|line| line.chars().count() <= width).unwrap_or_else(|| line(0))
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
    let hooks = tui.about.hooks.join(" + ");
    let by = if hooks.is_empty() { String::new() } else { theme.text(&format!(" · {hooks}")) };
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

/// A number with its name, and how both look.
struct Item {
    name: &'static str,
    name_style: Style,
    number: String,
    number_style: Style,
}

impl Item {
    fn line(self) -> Line<'static> {
        Line::from(vec![
            Span::styled(format!("{} ", self.name), self.name_style),
            Span::styled(self.number, self.number_style),
        ])
    }
}

/// Exchanges; numbers are exact where they have this much room.
fn exchanges(tui: &Tui, counts: &Counts, room: usize) -> [Item; 3] {
    let approximately = words::approximately(counts.is_exact());
    let number = |number: u64| tui.theme.text(&format!("{approximately}{}", words::fitting(number as f64, 0, room)));
    let item = |name, number, style: Style| Item {
        name,
        name_style: style,
        number,
        number_style: style.patch(tui.theme.bold()),
    };
    [
        item("NEW", number(counts.new), tui.theme.of_new()),
        item("REUSED", number(counts.reused), tui.theme.of_reused()),
        item("RATIO", tui.theme.text(&words::ratio(counts)), Style::new()),
    ]
}

/// Sockets, which no reset changes, and connects.
fn others(tui: &Tui, counts: &Counts, room: usize) -> Vec<Item> {
    let picture = tui.picture();
    let number = |number: u64| words::fitting(number as f64, 0, room);
    let item = |name, number| Item { name, name_style: tui.theme.dim(), number, number_style: Style::new() };
    let time_wait = picture.snapshot.time_wait().map_or_else(|| tui.theme.text("–"), number);
    let pool = counts.pool;
    let avoidable = pool.avoidable().map(|avoidable| {
        let is_exact = picture.snapshot.is_exact_pool(&pool);
        let text = format!("{}{}", words::approximately(is_exact), number(avoidable));
        item("AVOIDABLE", tui.theme.text(&text))
    });
    let mut others: Vec<Item> = avoidable.into_iter().collect();
    others.extend([item("OPEN", number(picture.snapshot.totals.open())), item("TIME_WAIT", time_wait)]);
    if counts.failed() > 0 {
        others.push(item("FAILED", number(counts.failed())));
    }
    others
}

/// On one line. Where it is narrow, gaps close first, and then numbers are rounded, exchanges last; what still has no room is left out
/// whole, because a number that is cut off would be another one.
fn numbers(tui: &Tui, width: u16) -> Line<'static> {
    let counts = tui.picture().totals(tui.baseline.as_ref());
    let items = |[room, room_beside]: [usize; 2]| {
        let all = exchanges(tui, &counts, room).into_iter().chain(others(tui, &counts, room_beside));
        all.map(Item::line).collect::<Vec<_>>()
    };
    let forms = [("  ", [EXACT, EXACT]), (" ", [EXACT, EXACT]), (" ", [EXACT, 5]), (" ", [5, 5]), (" ", [4, 4])];
    let fits = |(gap, room): &(&str, [usize; 2])| {
        let items = items(*room);
        items.iter().map(|item| item.width() + gap.len()).sum::<usize>() + 1 - gap.len() <= width.into()
    };
    let (gap, room) = forms.into_iter().find(fits).unwrap_or(forms[4]);
    let mut line = Line::default();
    for item in items(room) {
        let before = if line.spans.is_empty() { " " } else { gap };
        if line.width() + before.len() + item.width() > width.into() {
            break;
        }
        line.push_span(Span::raw(before));
        line.extend(item);
    }
    line
}

/// The same in large digits, if they have room: with all else that stands below them.
fn large(tui: &Tui, width: u16) -> Option<Vec<Line<'static>>> {
    let counts = tui.picture().totals(tui.baseline.as_ref());
    let mut lines = vec![Line::from(" "); usize::from(digits::HEIGHT) + 1];
    for Item { name, name_style, number, .. } in exchanges(tui, &counts, EXACT) {
        let rows = digits::large(&number, tui.theme.has_unicode);
        let width = rows[0].chars().count().max(name.len());
        for (line, text) in lines.iter_mut().zip(rows.iter().map(String::as_str).chain([name])) {
            line.push_span(Span::styled(format!("{text:<width$}    "), name_style));
        }
    }
    for (index, other) in others(tui, &counts, EXACT).into_iter().enumerate() {
        let below = &mut lines[usize::from(digits::HEIGHT)];
        below.push_span(Span::raw(if index == 0 { " " } else { "  " }));
        below.extend(other.line());
    }
    lines.iter().all(|line| line.width() <= width.into()).then_some(lines)
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
