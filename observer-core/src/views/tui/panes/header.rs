//! The header: the ports and the duration of the watch, new and reused exchanges, and losses.

use std::fmt::Write as _;

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{digits, fit::cut_end, scene::Scene, share_bar::share_bar};
use crate::{
    group::Counts,
    model::LossSample,
    views::{
        tui::state::picture::Picture,
        words::{self, clock, watched},
    },
};

/// Columns that fit any number.
const EXACT: usize = 20;

/// Rows of a header with large digits.
const LARGE: u16 = digits::HEIGHT + 3;

/// The rows of the header on a screen of this size.
pub(crate) fn height(scene: &Scene<'_>, Rect { width, height, .. }: Rect) -> u16 {
    let rows = match height {
        0..=5 => 1,
        6..=17 => 2,
        34.. if large(scene, width).is_some() => LARGE,
        _ => 3,
    };
    (rows + u16::from(!losses(scene.picture).is_empty())).min(height)
}

pub(super) fn draw(scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
    let mut lines = vec![title(scene, area.width)];
    let losses = losses(scene.picture);
    let room = area.height.saturating_sub(u16::from(!losses.is_empty()));
    let large = if room >= LARGE { large(scene, area.width) } else { None };
    lines.extend(large.unwrap_or_else(|| vec![numbers(scene, area.width)]));
    lines.push(bar(scene, area.width));
    lines.truncate(room.into());
    if !losses.is_empty() {
        lines.push(Line::styled(lost(scene, &losses, area.width.into()), scene.theme.loss()));
    }
    for (line, y) in lines.iter().zip(area.top()..area.bottom()) {
        frame.buffer_mut().set_line(area.x, y, line, area.width);
    }
}

/// Losses in a few words each. The summary explains them.
fn losses(picture: &Picture) -> Vec<String> {
    let LossSample { rows, untracked, mptcp, counts, hook_skips: _, unrecovered_skips, .. } = picture.snapshot.loss;
    let LossSample { ungrouped, unlisted, ownerless, unfollowed, not_removed, .. } = picture.snapshot.loss;
    let all = [
        (untracked, "connections not counted"),
        (mptcp, "of MPTCP not counted"),
        (counts, "counts"),
        (ownerless, "processes not looked up"),
        (unfollowed, "processes not watched"),
        (unlisted, "sockets not listed"),
        (rows, "rows not shown"),
        (unrecovered_skips, "or more hooks skipped"),
        (ungrouped, "connections not named"),
        (not_removed, "entries not removed"),
    ];
    all.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")).collect()
}

/// As many losses as fit, none of them cut, and an ellipsis if there are more.
fn lost(scene: &Scene<'_>, losses: &[String], width: usize) -> String {
    let line = |shown: usize| {
        let mark = if shown < losses.len() { vec!["…".to_string()] } else { Vec::new() };
        scene.theme.text(&format!(" LOST {}", [&losses[..shown], &mark].concat().join(", ")))
    };
    (1..=losses.len()).rev().map(line).find(|line| line.chars().count() <= width).unwrap_or_else(|| line(0))
}

/// The ports and hooks on the left, the duration on the right.
fn title(scene: &Scene<'_>, width: u16) -> Line<'static> {
    let theme = scene.theme;
    let picture = scene.picture;
    let mut right = String::new();
    if scene.is_frozen {
        right.push_str("FROZEN  ");
    }
    if let Some(baseline) = scene.baseline {
        let ago = picture.snapshot.duration_us.saturating_sub(baseline.at_us);
        let _ = write!(right, "since reset {}  ", clock(ago));
    }
    if scene.has_ended {
        right.push_str("END  ");
    }
    right.push_str(&clock(picture.snapshot.duration_us));
    right.push(' ');
    let watched = theme.text(&watched(scene.about));
    let hooks = scene.about.hooks.join(" + ");
    // Low terminals do not show the log, which says why.
    let without = scene.about.why_without_sockops().map_or("", |_| ", without sockops");
    let by = if hooks.is_empty() { String::new() } else { theme.text(&format!(" · {hooks}{without}")) };
    let room = usize::from(width).saturating_sub(right.chars().count());
    let mut spans = vec![Span::styled(" tcp-reuse-watch ", theme.selected()), Span::raw(" ")];
    spans.push(Span::styled(watched, theme.bold()));
    spans.push(Span::styled(by, theme.dim()));
    let mut left = Line::from(spans);
    let taken = left.width();
    if taken + 1 > room {
        left = Line::styled(cut_end(theme, &left.to_string(), room.saturating_sub(1)), theme.bold());
    }
    let gap = room.saturating_sub(left.width());
    left.push_span(Span::raw(" ".repeat(gap)));
    left.push_span(Span::styled(right, theme.bold()));
    left
}

/// A number with its name.
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

/// New and reused exchanges and their ratio. Numbers longer than `room` are rounded.
fn exchanges(scene: &Scene<'_>, counts: &Counts, room: usize) -> [Item; 3] {
    let approximately = words::approximately(counts.is_exact());
    let number =
        |number: u64| scene.theme.text(&format!("{approximately}{}", words::fit_number(number as f64, 0, room)));
    let item = |name, number, style: Style| Item {
        name,
        name_style: style,
        number,
        number_style: style.patch(scene.theme.bold()),
    };
    [
        item("NEW", number(counts.new), scene.theme.of_new()),
        item("REUSED", number(counts.reused), scene.theme.of_reused()),
        item("RATIO", scene.theme.text(&words::ratio(counts)), Style::new()),
    ]
}

/// The other numbers. A reset of the screen does not change the numbers of sockets.
fn others(scene: &Scene<'_>, counts: &Counts, room: usize) -> Vec<Item> {
    let picture = scene.picture;
    let number = |number: u64| words::fit_number(number as f64, 0, room);
    let item = |name, number| Item { name, name_style: scene.theme.dim(), number, number_style: Style::new() };
    let time_wait = picture.snapshot.time_wait().map_or_else(|| scene.theme.text("–"), number);
    let pool = counts.pool;
    let avoidable = pool.avoidable().map(|avoidable| {
        let is_exact = picture.snapshot.is_exact_pool(&pool);
        let text = format!("{}{}", words::approximately(is_exact), number(avoidable));
        item("AVOIDABLE", scene.theme.text(&text))
    });
    let mut others: Vec<Item> = avoidable.into_iter().collect();
    others.extend([item("OPEN", number(picture.snapshot.totals.open())), item("TIME_WAIT", time_wait)]);
    if counts.failed() > 0 {
        others.push(item("FAILED", number(counts.failed())));
    }
    others
}

/// All numbers on one line. Where the screen is narrow, gaps close first, then numbers are rounded, exchanges last. Numbers
/// that still do not fit are left out, because a number without its last digits would be a wrong one.
fn numbers(scene: &Scene<'_>, width: u16) -> Line<'static> {
    let counts = scene.totals();
    let items = |[room, room_beside]: [usize; 2]| {
        let all = exchanges(scene, &counts, room).into_iter().chain(others(scene, &counts, room_beside));
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

/// The numbers with exchanges in large digits. None if the screen is too narrow.
fn large(scene: &Scene<'_>, width: u16) -> Option<Vec<Line<'static>>> {
    let counts = scene.totals();
    let mut lines = vec![Line::from(" "); usize::from(digits::HEIGHT) + 1];
    for Item { name, name_style, number, .. } in exchanges(scene, &counts, EXACT) {
        let rows = digits::large(&number, scene.theme.has_unicode);
        let width = rows[0].chars().count().max(name.len());
        for (line, text) in lines.iter_mut().zip(rows.iter().map(String::as_str).chain([name])) {
            line.push_span(Span::styled(format!("{text:<width$}    "), name_style));
        }
    }
    for (index, other) in others(scene, &counts, EXACT).into_iter().enumerate() {
        let below = &mut lines[usize::from(digits::HEIGHT)];
        below.push_span(Span::raw(if index == 0 { " " } else { "  " }));
        below.extend(other.line());
    }
    lines.iter().all(|line| line.width() <= width.into()).then_some(lines)
}

/// New and reused exchanges as a bar over the width of the screen.
fn bar(scene: &Scene<'_>, width: u16) -> Line<'static> {
    let counts = scene.totals();
    let mut line = Line::from(" ");
    line.extend(share_bar(scene.theme, &counts, usize::from(width.saturating_sub(2))));
    line
}
