//! All about the selected group: why its connections were not reused, with evidence and advice, how many exchanges each
//! carried, why they were opened and closed, which are open, and which were closed last.

use std::fmt::Write as _;

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{LISTED, Tui, connections::Open, groups::cut, layout::Pane, part::Part};
use crate::{
    group::ClosedConnection,
    model::{CAUSES, ConnectionState, FAILURES, LIFETIME_NAMES, WHYS, cause_name, why_name},
    printable::printable,
    views::{
        advice, evidence, failure_name,
        words::{self, clock, confidence, pieces, plural, short_time, time},
        wrap::wrapped,
    },
};

/// From so many columns on, two blocks have room side by side.
const TWO_BLOCKS: usize = 76;

/// The least columns of a destination.
const SHORTEST: usize = 16;

/// The longest bar.
const BAR: usize = 24;

type Lines = Vec<Line<'static>>;

/// Draws it, scrolled by the detail's offset, or as far as there is something to scroll; how far that was.
pub(super) fn draw(tui: &Tui, frame: &mut Frame<'_>, area: Rect) -> usize {
    let part = tui.table.selected(tui.picture(), tui.baseline.as_ref());
    // The frame's corners, and a space at each end.
    let room = usize::from(area.width.saturating_sub(4));
    let title = part.as_ref().map_or_else(|| "Detail".into(), |part| title(tui, part, room));
    let block = tui.frame_of(Pane::Detail, &title);
    let inner = block.inner(area);
    let lines = part.map_or_else(Vec::new, |part| lines(tui, &part, usize::from(inner.width)));
    let offset = tui.detail_offset.min(lines.len().saturating_sub(inner.height.into()));
    let below = lines.len().saturating_sub(offset + usize::from(inner.height));
    let block = match below {
        0 => block,
        _ => block.title_bottom(Line::raw(format!(" {below} more below ")).right_aligned()),
    };
    frame.render_widget(block, area);
    for (line, y) in lines.iter().skip(offset).zip(inner.top()..inner.bottom()) {
        frame.buffer_mut().set_line(inner.x, y, line, inner.width);
    }
    offset
}

fn title(tui: &Tui, part: &Part<'_>, room: usize) -> String {
    let (process, destination) = words::names(part.row);
    let runtime = part.row.runtime.map_or_else(String::new, |runtime| format!(" · {runtime}"));
    if destination.is_empty() {
        return process + &runtime;
    }
    let left = room.saturating_sub(Line::raw(format!("{process} → {runtime}")).width());
    format!("{process} → {}{runtime}", cut(tui, &destination, left.max(SHORTEST)))
}

fn lines(tui: &Tui, part: &Part<'_>, width: usize) -> Lines {
    let mut lines = circumstances(tui, part);
    lines.extend(findings(tui, part, width));
    // A column between two blocks.
    let room = if width < TWO_BLOCKS { width } else { width / 2 - 1 };
    let exchanges = exchanges_per_connection(tui, part, room);
    let reasons = [opened(tui, part, room), closed(tui, part, room)].concat();
    lines.extend(side_by_side(exchanges, reasons, width));
    lines.extend(side_by_side(lifetimes(tui, part, room), failed(tui, part, room), width));
    lines.extend(open(tui, part));
    lines.extend(last_closed(tui, part));
    lines
}

fn heading(tui: &Tui, text: &str) -> Line<'static> {
    Line::styled(tui.theme.text(text), tui.theme.bold())
}

/// What it speaks, and the container or the systemd unit that it runs in.
fn circumstances(tui: &Tui, part: &Part<'_>) -> Lines {
    let spoken = part.row.spoken.name().map(|application| format!("speaks {application}"));
    let cgroup = part.row.cgroup.as_deref().map(|cgroup| format!("in {}", printable(cgroup)));
    let known: Vec<String> = spoken.into_iter().chain(cgroup).collect();
    if known.is_empty() {
        return Vec::new();
    }
    vec![Line::styled(tui.theme.text(&known.join(", ")), tui.theme.dim())]
}

/// Says that something is not since the reset.
fn of_whole_watch(tui: &Tui) -> &'static str {
    if tui.baseline.is_some() { ", whole watch" } else { "" }
}

fn findings(tui: &Tui, part: &Part<'_>, width: usize) -> Lines {
    let theme = tui.theme;
    let mut lines = Vec::new();
    for diagnosis in part.row.diagnoses() {
        let name = format!("{}{}{}", diagnosis.finding().name(), confidence(&diagnosis), of_whole_watch(tui));
        lines
            .push(Line::styled(theme.text(&name), theme.finding(diagnosis.finding().is_healthy()).patch(theme.bold())));
        let evidence = wrapped(&printable(&evidence::sentence(&diagnosis.evidence)), width.saturating_sub(2));
        lines.extend(evidence.iter().map(|line| Line::raw(format!("  {}", theme.text(line)))));
        let arrow = theme.text("→ ");
        let indent = arrow.chars().count() + 2;
        for (index, line) in
            wrapped(&printable(&advice::sentence(&diagnosis)), width.saturating_sub(indent)).iter().enumerate()
        {
            let begin = if index == 0 { format!("  {arrow}") } else { " ".repeat(indent) };
            lines.push(Line::from(vec![Span::styled(begin, theme.bold()), Span::raw(theme.text(line))]));
        }
    }
    if lines.is_empty() {
        lines.push(Line::styled("no finding", theme.dim()));
    }
    lines.push(Line::default());
    lines
}

/// Names, numbers and bars, of those that are more than none.
fn bars(tui: &Tui, room: usize, heading_text: &str, style: Style, rows: impl Iterator<Item = (String, u64)>) -> Lines {
    let rows: Vec<(String, u64)> = rows.filter(|(_, number)| *number > 0).collect();
    let most = rows.iter().map(|(_, number)| *number).max().unwrap_or(0);
    let name_width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max(8);
    let number_width = most.to_string().len().max(4);
    let [piece, ..] = tui.theme.pieces();
    let longest = BAR.min(room.saturating_sub(name_width + number_width + 4));
    let mut lines = vec![heading(tui, heading_text)];
    for (name, number) in &rows {
        let bar = String::from(piece).repeat(pieces(*number as f64 / most as f64, longest));
        let text = format!("  {name:<name_width$} {number:>number_width$} ");
        lines.push(Line::from(vec![Span::raw(text), Span::styled(bar, style)]));
    }
    if rows.is_empty() { Vec::new() } else { lines }
}

fn exchanges_per_connection(tui: &Tui, part: &Part<'_>, room: usize) -> Lines {
    let names = ["1", "2-9", "10-99", "100-999", "1000+"].map(String::from);
    let heading = format!("Connections by exchanges{}", of_whole_watch(tui));
    bars(tui, room, &heading, tui.theme.of_reused(), names.into_iter().zip(part.row.counts.exchanges_per_connection))
}

fn opened(tui: &Tui, part: &Part<'_>, room: usize) -> Lines {
    let rows = WHYS.map(|why| (why_name(why).into(), part.counts.why[why as usize]));
    bars(tui, room, "Opened", tui.theme.of_new(), rows.into_iter())
}

fn closed(tui: &Tui, part: &Part<'_>, room: usize) -> Lines {
    let rows = CAUSES.map(|cause| (cause_name(cause).into(), part.counts.closes[cause as usize]));
    bars(tui, room, "Closed", tui.theme.of_new(), rows.into_iter())
}

fn failed(tui: &Tui, part: &Part<'_>, room: usize) -> Lines {
    let rows = FAILURES.map(|failure| (failure_name(failure, 0), part.counts.failures[failure as usize]));
    bars(tui, room, "Failed", tui.theme.loss(), rows.into_iter())
}

fn side_by_side(left: Lines, right: Lines, width: usize) -> Lines {
    if width < TWO_BLOCKS || left.is_empty() || right.is_empty() {
        return left.into_iter().chain(right).collect();
    }
    let half = width / 2;
    let rows = left.len().max(right.len());
    let (mut left, mut right) = (left.into_iter(), right.into_iter());
    let mut joined = Vec::with_capacity(rows);
    for _ in 0..rows {
        let mut line = left.next().unwrap_or_default();
        let gap = half.saturating_sub(line.width());
        line.push_span(Span::raw(" ".repeat(gap)));
        line.extend(right.next().unwrap_or_default().spans);
        joined.push(line);
    }
    joined
}

fn lifetimes(tui: &Tui, part: &Part<'_>, room: usize) -> Lines {
    let bounds = LIFETIME_NAMES.iter().zip(part.counts.lifetimes);
    let rows = bounds
        .map(|(bound, closed)| (if *bound == "longer" { "longer".into() } else { format!("to {bound}") }, closed));
    bars(tui, room, "Closed by lifetime", tui.theme.of_reused(), rows)
}

fn open(tui: &Tui, part: &Part<'_>) -> Lines {
    let picture = tui.picture();
    let open = picture.connections.of(tui.table.selected_parts(picture), LISTED);
    let all = part.row.counts.open();
    if all == 0 {
        return Vec::new();
    }
    let mut which = String::new();
    if all > open.len() as u64 {
        let _ = write!(which, ", {} listed", open.len());
        if part.row.counts.pre_existing > 0 {
            which.push_str("; those from before the watch are not");
        }
    }
    let mut lines = vec![heading(tui, &format!("Open {all}{which}"))];
    lines.extend(open.iter().map(|(_, open)| Line::raw(tui.theme.text(&open_text(open, picture.now_unix_ns())))));
    lines
}

fn open_text(open: &Open, now_unix_ns: i64) -> String {
    let age_us = |since_ns: i64| u64::try_from(now_unix_ns - since_ns).unwrap_or(0) / 1000;
    let (doing, exchanges) = match open.activity {
        None => ("open".into(), String::new()),
        Some(activity) => {
            let doing = match activity.state {
                ConnectionState::Connecting => "connecting".into(),
                ConnectionState::Busy => "busy".into(),
                ConnectionState::Idle(None) => "idle".into(),
                ConnectionState::Idle(Some(since_ns)) => format!("idle {}", short_time(age_us(since_ns))),
                ConnectionState::Closing => "closing".into(),
            };
            (doing, words::exchanges(activity.exchanges, activity.is_exact))
        }
    };
    let age = clock(age_us(open.unix_ns));
    format!("  {:<7} {doing:<13} for {age:<8} {exchanges}", port(open.local_port))
}

fn port(port: Option<u16>) -> String {
    port.map_or_else(|| "–".into(), |port| format!(":{port}"))
}

fn last_closed(tui: &Tui, part: &Part<'_>) -> Lines {
    let mut ended = part.row.history.last_closed().peekable();
    if ended.peek().is_none() {
        return Vec::new();
    }
    let mut lines = vec![heading(tui, "Closed last")];
    lines.extend(ended.map(|ended| Line::raw(tui.theme.text(&ended_text(ended)))));
    lines
}

fn ended_text(ended: &ClosedConnection) -> String {
    let exchanges = words::exchanges(ended.exchanges(), ended.is_exact());
    let unread = match ended.unread_bytes() {
        0 => String::new(),
        bytes => format!(", {} unread", plural(bytes, "byte", "bytes")),
    };
    let lifetime = ended.lifetime_us().map_or_else(String::new, |us| format!(" after {}", short_time(us)));
    let (time, port) = (time(ended.ended_ns()), port((ended.local_port > 0).then_some(ended.local_port)));
    format!("  {time} {port:<7} {}{lifetime}, {exchanges}{unread}", cause_name(ended.cause))
}
